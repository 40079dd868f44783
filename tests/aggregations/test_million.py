"""A month of a million events, updated by a run that is killed again and again."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from benchmarks.memory import peak_bytes
from stats_pipeline.clock import SystemClock
from stats_pipeline.model import Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings
from tests.aggregations.conftest import Make
from tests.aggregations.host import host_settings
from tests.support import Backend

EVENTS = 1_000_000
DAYS = 30
#: Of each day; with the days that makes 250,000 rows.
VALUES = 8_334
KILLS = 10
PUBLISHED_AT_ONCE = 20_000
AGGREGATIONS = {
    name: {"metrics": {"volume": ["sum", "size"]}} for name in ("killed-agg", "calm-agg")
}
START = datetime(2016, 11, 1, tzinfo=UTC)


def events() -> Iterator[dict[str, Any]]:
    """Yield the events of a month, each value of a day four times."""
    for number in range(EVENTS):
        day, place = number % DAYS, number // DAYS
        moment = START + timedelta(days=day, seconds=place * 2)
        page = f"page {place % VALUES}"
        yield {"timestamp": moment.isoformat(), "page": page, "size": number % 100}


def fingerprint(pipeline: Pipeline, name: str) -> tuple[int, int, int, int]:
    """Return how many rows there are, their counts and volumes, and a sum over all of it."""
    alias = pipeline.registries.aggregation(name).alias
    pipeline.store.refresh([alias])
    rows = counts = volume = check = 0
    with pipeline.store.snapshot([alias]) as snapshot:
        for row in snapshot.scan(Filter(), ["timestamp", "page"]):
            rows, counts = rows + 1, counts + row.body["count"]
            volume += row.body["volume"]
            check ^= hash(json.dumps(dict(row.body), sort_keys=True))
    return rows, counts, volume, check


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_million_events_and_an_update_killed_ten_times(
    make: Make,
    backend: Backend,
    tmp_path: Path,
    index_prefix: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Resumed, it ends in the rows of a run that nobody has disturbed; both tell their progress."""
    pipeline = make(clock=SystemClock(), lease_seconds=2, aggregations=AGGREGATIONS)
    take_all(pipeline)
    settings = {**backend.settings, "STATS_INDEX_PREFIX": index_prefix, "STATS_LEASE_SECONDS": 2}
    update = [sys.executable, "-m", __spec__.name, json.dumps(settings), str(tmp_path)]
    began = time.monotonic()
    steps = finish(update, "calm-agg", capsys)
    assert steps == [f"{number} of {DAYS}" for number in range(1, DAYS + 1)]
    day_seconds = (time.monotonic() - began) / DAYS
    for number in range(1, KILLS + 1):
        still_to_do = DAYS * (KILLS + 1 - number) // (KILLS + 1)
        kill([*update, "killed-agg"], still_to_do, random.uniform(0, 1) * day_seconds)
    left = fingerprint(pipeline, "killed-agg")[0]
    assert DAYS * VALUES / 2 < left < DAYS * VALUES, "the kills should be spread over the run"
    steps = finish(update, "killed-agg", capsys)
    assert steps[-1] == f"{len(steps)} of {len(steps)}"
    found, expected = fingerprint(pipeline, "killed-agg"), fingerprint(pipeline, "calm-agg")
    assert found == expected
    assert found[:2] == (DAYS * VALUES, EVENTS)


def kill(update: Sequence[str], still_to_do: int, wait_seconds: float) -> None:
    """Kill an update so long after no more than these days are left, wherever it is then.

    What is done says little: a run does again what those before it left suspect.
    """
    with subprocess.Popen(update, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            done, of = map(int, line.split(" of "))
            if of - done <= still_to_do:
                break
        time.sleep(wait_seconds)  # any moment will do
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "there was nothing left to kill"


def finish(update: Sequence[str], name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Let the update come to its end, and return how it told its progress."""
    done = subprocess.run([*update, name], check=True, stdout=subprocess.PIPE, text=True)
    *steps, last = done.stdout.splitlines()
    told: dict[str, Any] = json.loads(last)
    peak = f"peak {told['peak_bytes'] / 2**20:.0f} MiB"
    # Also without -s, since the peak is what somebody runs this for.
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {told['created']:,} rows created, {peak}\n")
    return steps


def take_all(pipeline: Pipeline) -> None:
    """Store the events, so many at a time."""
    waiting = events()
    while batch := list(islice(waiting, PUBLISHED_AT_ONCE)):
        pipeline.publish("visit", batch)
        pipeline.process_events()


def tell(done: int, of: int) -> None:
    """Print the progress, at once."""
    sys.stdout.write(f"{done} of {of}\n")
    sys.stdout.flush()


def main() -> None:
    """Update, tell the progress, and say what was created and this process's peak of memory.

    What a killed run has made suspect stays dirty for a day, and its rows are right.
    """
    backend, folder, name = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    configuration = {**backend, **host_settings(folder, aggregations=AGGREGATIONS)}
    pipeline = Pipeline(read_settings(configuration), instance_path=str(folder))
    report = pipeline.update([name], progress=tell)
    pipeline.close()
    own = report.aggregations[name]
    if own.error:
        raise SystemExit(own.error)
    sys.stdout.write(json.dumps({"created": own.created, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
