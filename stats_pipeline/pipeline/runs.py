"""Runs: what the last jobs did, so that an operator sees when something was done or went wrong.

One state record for each job holds its last runs. A run that found nothing to do leaves nothing,
and one that did or failed the same as the run before it is counted there, so that what repeats
does not push everything else out.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from stats_pipeline.clock import Clock, format_time
from stats_pipeline.errors import StatsError
from stats_pipeline.reports import AggregationReport, ProcessingReport, UpdateReport
from stats_pipeline.stores.protocol import Record, State
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

KIND = "run"

#: Of each job: enough to see a pattern, little enough to be written again with each run.
KEPT_RUNS = 50

#: Of their record, as JSON: enough for 50 runs of 40 aggregations each. Older runs go before.
LARGEST_RECORD_BYTES = 200_000

#: Characters of an error that are kept.
LONGEST_ERROR = 500

#: How often a run is tried to be kept while other processes keep theirs.
TRIES = 10

PROCESS_NUMBERS = ("taken", "indexed", "duplicates", "dropped", "dead")
UPDATE_NUMBERS = ("intervals", "created", "updated", "unchanged", "deleted")


@dataclass(frozen=True, kw_only=True)
class Run:
    """Be a run that did something or failed.

    Attributes:
        job: ``process_events``, ``update``, ``reset`` or ``retention``.
        started_at, ended_at: ISO 8601 UTC; of several times, the first start and the last end.
        host, pid: the process; of several times, the last one.
        done: what it did, as numbers by name; of several times, each time.
        errors: event type or aggregation -> why it failed, or which value does not fit in its row.
        times: how many runs after each other did or failed the same.
        start, end: the window that was asked for, ISO 8601; None where a side was left open.
        pending: how many intervals are still to be computed; of several times, after the last one.
        aggregations: name -> its part of `done` and `pending`, without zeros; only those with any.
    """

    job: str
    started_at: str
    ended_at: str
    host: str
    pid: int
    done: Mapping[str, int]
    errors: Mapping[str, str]
    times: int = 1
    start: str | None = None
    end: str | None = None
    pending: int = 0
    aggregations: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        return asdict(self)


class Runs:
    """Keep and list the last runs of all jobs."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def keep(
        self,
        job: str,
        started: datetime,
        *,
        done: Mapping[str, int],
        errors: Mapping[str, str],
        start: str | None = None,
        end: str | None = None,
        pending: int = 0,
        aggregations: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        """Keep a run that ends now (see `Run`), if it did something, failed or left something.

        Never raises an error of the store: what was done is done, whether or not it is known.
        """
        if not errors and not pending and not any(done.values()):
            return
        run = Run(
            job=job,
            started_at=format_time(started),
            ended_at=format_time(self._clock.now()),
            host=socket.gethostname(),
            pid=os.getpid(),
            done=dict(done),
            errors={name: error[:LONGEST_ERROR] for name, error in errors.items()},
            start=start,
            end=end,
            pending=pending,
            aggregations=aggregations or {},
        )
        try:
            self._keep(run)
        except StatsError as error:
            logger.warning("The run of %s is not recorded: %s", job, error)

    def list(self, job: str | None = None, limit: int = 20) -> list[Run]:
        """Return the last runs (of one job where it is given), newest first."""
        found = [
            Run(**entry)
            for record in self._state.find(KIND)
            if job is None or record.key == job
            for entry in record.body["runs"]
        ]
        return sorted(found, key=lambda run: run.ended_at, reverse=True)[:limit]

    def _keep(self, run: Run) -> None:
        for _ in range(TRIES):
            (record,) = self._state.get(KIND, [run.job])
            if record is None:
                body = {"runs": [run.as_dict()]}
                is_kept = self._state.create(Record(KIND, run.job, body=body))
            else:
                body = {"runs": _with(record.body["runs"], run)}
                (is_kept,) = self._state.swap([replace(record, body=body)])
            if is_kept:
                return


def processed(report: ProcessingReport) -> dict[str, Any]:
    """Return what a run of `process_events` did, and which types failed."""
    return {
        "done": {name: getattr(report, name) for name in PROCESS_NUMBERS},
        "errors": {
            name: each.error or each.alarm
            for name, each in report.types.items()
            if each.error or each.alarm
        },
    }


def aggregated(report: UpdateReport) -> dict[str, Any]:
    """Return what an update or a reset was asked for and did, and which aggregations failed."""
    numbers = {name: _numbers(one) for name, one in report.aggregations.items()}
    total = {
        name: sum(each.get(name, 0) for each in numbers.values())
        for name in (*UPDATE_NUMBERS, "pending")
    }
    return {
        "start": report.start,
        "end": report.end,
        "pending": total.pop("pending"),
        "done": total,
        "aggregations": {name: each for name, each in numbers.items() if each},
        "errors": {name: one.trouble for name, one in report.aggregations.items() if one.trouble},
    }


def _numbers(report: AggregationReport) -> dict[str, int]:
    numbers = {name: getattr(report, name) for name in UPDATE_NUMBERS}
    numbers["pending"] = len(report.pending)
    return {name: number for name, number in numbers.items() if number}


def _with(entries: list[dict[str, Any]], run: Run) -> list[dict[str, Any]]:
    """Return the last runs with this one, newest first."""
    before = Run(**entries[0]) if entries else None
    if before and _deeds(before) == _deeds(run):
        run = replace(run, started_at=before.started_at, times=before.times + 1)
        entries = entries[1:]
    return _bounded([run.as_dict(), *entries])


def _deeds(run: Run) -> tuple[Any, ...]:
    """Return what is the same of runs that did the same; what is pending may change meanwhile."""
    numbers = {
        name: {key: number for key, number in each.items() if key != "pending"}
        for name, each in run.aggregations.items()
    }
    return run.start, run.end, run.done, run.errors, numbers


def _bounded(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return as many of the first runs as may be kept, at least one."""
    size_bytes = 0
    for number, entry in enumerate(entries):
        size_bytes += len(json.dumps(entry))
        if number and size_bytes > LARGEST_RECORD_BYTES:
            return entries[:number]
    return entries[:KEPT_RUNS]
