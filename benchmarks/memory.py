"""Memory: what aggregating a day takes on top of an idle process, by how many values the day has.

Each measurement is a process of its own, since the peak of a process never goes down again.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.measuring import AGGREGATION, EVENT_TYPE
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings

#: The law is about their ratio: memory does not grow with the number of values.
FEW, MANY = 10_000, 100_000

DAY = datetime(2025, 6, 2, tzinfo=UTC)

#: Events in one call of `publish`, so that sending them takes no memory that would hide the rest.
BATCH = 10_000


@dataclass(frozen=True)
class MemoryUsed:
    """What one step took on top of an idle process, in bytes, for few and for many values."""

    what: str
    few_bytes: int
    many_bytes: int

    @property
    def ratio(self) -> float:
        """How much more for ten times the values; 1 is constant memory, 10 all of it."""
        return self.many_bytes / self.few_bytes


def peak_bytes() -> int:
    """Return the most memory that this process ever had."""
    # Not `ru_maxrss`: that begins at the size of the process which started this one.
    status = Path("/proc/self/status").read_text()
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert peak, "only Linux says how much memory a process had at most"
    return int(peak[1]) * 1024


def measure_memory(
    folder: Path,
    where: str,
    settings: Mapping[str, str],
    *,
    few: int = FEW,
    many: int = MANY,
) -> Iterator[MemoryUsed]:
    """Measure the first update of a day, one of a day with rows, and one when all values are gone.

    Args:
        folder: for databases and queues.
        where: how lines call the store.
        settings: of the store; without any it is the database of the folder.
        few: distinct values of the dimension; each has one visitor.
        many: as many in the second measurement.
    """
    steps: dict[str, list[int]] = {}
    for number in (few, many):
        prefix = f"{settings.get('STATS_INDEX_PREFIX', '')}{number}-"
        run = _Run(folder / str(number), {**settings, "STATS_INDEX_PREFIX": prefix}, number)
        idle = run.peak_bytes("idle")
        run.peak_bytes("fill")
        steps.setdefault("first update", []).append(run.peak_bytes("update") - idle)
        run.peak_bytes("repeat")
        steps.setdefault("update of rows", []).append(run.peak_bytes("update") - idle)
        run.peak_bytes("withdraw")
        steps.setdefault("all values gone", []).append(run.peak_bytes("update") - idle)
    for step, (few_bytes, many_bytes) in steps.items():
        yield MemoryUsed(f"{where}: {step}", few_bytes, many_bytes)


@dataclass(frozen=True)
class _Run:
    """Run steps, each in a process of its own, on one store."""

    folder: Path
    settings: dict[str, str]
    number: int

    def peak_bytes(self, step: str) -> int:
        """Return the most memory that the step's process ever had."""
        self.folder.mkdir(exist_ok=True)
        settings = [f"{name}={value}" for name, value in self.settings.items()]
        arguments = [step, str(self.number), str(self.folder), *settings]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", *arguments],
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return int(done.stdout)


def _send(pipeline: Pipeline, number: int, **more: Any) -> None:
    """Store an event of every value, all in one day."""
    for start in range(0, number, BATCH):
        events = [
            {
                "event_id": f"e{value}",
                "timestamp": (DAY + timedelta(days=1) * value / number).isoformat(),
                "user_id": f"user {value}",
                "bucket_id": "1",
                "file_id": str(value),
                "file_key": f"file {value}",
                "size": value,
                **more,
            }
            for value in range(start, min(start + BATCH, number))
        ]
        pipeline.publish(EVENT_TYPE, events)
        pipeline.process_events([EVENT_TYPE])


def _take_step(pipeline: Pipeline, step: str, number: int) -> None:
    match step:
        case "fill":
            _send(pipeline, number)
        case "repeat":  # what is stored already, which makes the day dirty again
            _send(pipeline, 1)
        case "withdraw":
            _send(pipeline, number, withdrawn=True, revision=1)
        case "idle" | "update":  # idle: there are no events yet
            report = pipeline.update([AGGREGATION])
            assert report.aggregations[AGGREGATION].is_complete, report


def _main(step: str, number: str, folder: str, *settings: str) -> None:
    given = dict(setting.split("=", 1) for setting in settings)
    configuration = {"STATS_EVENTS": {EVENT_TYPE: {}}, **given}
    pipeline = Pipeline(read_settings(configuration), instance_path=folder)
    try:
        _take_step(pipeline, step, int(number))
    finally:
        pipeline.close()
    print(peak_bytes())


if __name__ == "__main__":
    _main(*sys.argv[1:])
