"""The worked example E000 as a story: what was printed and what was there after each run of it.

It is told once for each store, since making its indices takes Elasticsearch a while; tests read in
what was seen, and so none of them can disturb another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from click.testing import Result
from flask import Flask

from stats_pipeline.cli import stats
from stats_pipeline.clock import ManualClock
from stats_pipeline.ext import NAME
from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from tests.contrib.crash_reports import (
    COUNTERS,
    E000_FIRST,
    E000_SECOND,
    FIELDS,
    NAMES,
    REPORT,
    Counts,
    advance_to,
    all_rows,
    days,
    heartbeat,
    receive,
    totals,
)
from tests.support import stored_events

#: A line such as `2 device-report-build-day-agg created for counter heartbeats`.
LINE = re.compile(rf"(\d+) {REPORT}-(\S+)-agg (created|updated|deleted)(?: for counter (\S+))?")

#: The table of E000: heartbeats, crashes, SMPL, other.
AFTER_FIRST: dict[str, Any] = {
    "builds": {"B1": (3, 1, 0, 0), "B2": (1, 0, 1, 1)},
    "build days": {
        ("B1", "2019-03-01"): (3, 0, 0, 0),
        ("B1", "2019-03-02"): (0, 1, 0, 0),
        ("B2", "2019-03-02"): (1, 0, 1, 1),
    },
    "radios": {"R1": (3, 1, 1, 1)},
    "radio days": {("R1", "2019-03-01"): (2, 0, 0, 0), ("R1", "2019-03-02"): (1, 1, 1, 1)},
    "first seen": {"B1": "2019-03-01", "B2": "2019-03-02", "R1": "2019-03-01"},
}
AFTER_SECOND: dict[str, Any] = {
    "builds": {"B1": (4, 2, 0, 0), "B2": (2, 0, 1, 1)},
    "build days": {
        ("B1", "2019-02-20"): (1, 0, 0, 0),
        ("B1", "2019-03-01"): (3, 0, 0, 0),
        ("B1", "2019-03-02"): (0, 2, 0, 0),
        ("B2", "2019-02-25"): (1, 0, 0, 0),
        ("B2", "2019-03-02"): (1, 0, 1, 1),
    },
    "radios": {"R1": (4, 2, 1, 1), "R2": (1, 0, 0, 0)},
    "radio days": {
        ("R1", "2019-02-20"): (1, 0, 0, 0),
        ("R1", "2019-03-01"): (2, 0, 0, 0),
        ("R1", "2019-03-02"): (1, 2, 1, 1),
        ("R2", "2019-02-25"): (1, 0, 0, 0),
    },
    "first seen": {
        "B1": "2019-02-20",
        "B2": "2019-02-25",
        "R1": "2019-02-20",
        "R2": "2019-02-25",
    },
}

#: A version that nobody has, on three days in no order, and a report that lacks its build.
MISTAKES = [heartbeat("D", f"2019-02-{day}T10:00", "B9", "R9") for day in ("05", "01", "03")]
NEWER = [heartbeat("A", "2019-03-02T20:00"), heartbeat("E", "2019-03-02T20:00", None)]
WITHDRAWN: dict[str, Any] = {"revision": 1, "withdrawn": True, "event_id": "any"}


@dataclass(frozen=True)
class Stage:
    """What a run has printed, and what readers saw after it."""

    printed: str
    #: dimension -> value -> heartbeats, probable crashes, SMPL, other of all time.
    totals: dict[str, dict[str, Counts]]
    #: dimension -> (value, day) -> the same of a day.
    days: dict[str, dict[tuple[str, str], Counts]]
    #: Aggregation -> its rows.
    rows: dict[str, list[dict[str, Any]]]
    #: dimension -> the answer of its table of versions.
    answers: dict[str, dict[str, Any]]
    #: What is stored of the reports.
    events: list[dict[str, Any]]

    @property
    def versions(self) -> dict[str, dict[str, Any]]:
        """The buckets of both tables by their version; no build is called like a radio."""
        return {b["key"]: b for answer in self.answers.values() for b in answer["buckets"]}

    @property
    def lines(self) -> list[str]:
        """Those about the tables, at -vv."""
        return [line for line in self.printed.splitlines() if LINE.fullmatch(line)]

    def touches(self, dimension: str) -> list[str]:
        """What they say of each counter, as E000 writes it: all-time and daily c+u."""
        said = {
            found.group(2, 4, 3): found[1] for found in map(LINE.fullmatch, self.lines) if found
        }

        def of(interval: str, counter: str) -> str:
            table = f"{dimension}-{interval}"
            return "+".join(said[table, counter, what] for what in ("created", "updated"))

        return [f"{of('all', name)} / {of('day', name)}" for name in COUNTERS]

    @property
    def deleted(self) -> dict[str, int]:
        """Dimension and interval -> how many rows it has less, as they say."""
        return {
            found[2]: int(found[1])
            for found in map(LINE.fullmatch, self.lines)
            if found and found[3] == "deleted"
        }


@dataclass(frozen=True)
class Story:
    """The stages in their order."""

    #: `stats` with an action that there is not, and without one; then what rows there were.
    refused: Result
    without_action: Result
    rows_at_first: dict[str, list[dict[str, Any]]]
    #: E000: the two updates and the reset; between the updates, one without anything new.
    first: Stage
    idle: Stage
    second: Stage
    reset: Stage
    #: After E000: an update after `MISTAKES` and `NEWER`, and one after they were withdrawn.
    newer: Stage
    withdrawn: Stage
    #: Job -> how many runs of it were kept.
    kept: dict[str, int]


def tell(pipeline: Pipeline, clock: ManualClock) -> Story:
    """Let it happen, through the command line, and return what was seen."""
    app = Flask("host")
    app.extensions[NAME] = pipeline

    def run(*arguments: str) -> Result:
        return app.test_cli_runner().invoke(stats, arguments)

    def stage(time: str, action: str, *options: str) -> Stage:
        advance_to(clock, time)
        return _look(pipeline, run(action, *options, *NAMES))

    def take(events: Sequence[Event]) -> None:
        receive(pipeline, clock, [("2019-03-03", event) for event in events])

    receive(pipeline, clock, E000_FIRST)
    refused, without_action, rows_at_first = run("recount"), run(), all_rows(pipeline)
    first = stage("2019-03-02T12:00", "update", "-vv")
    idle = stage("2019-03-02T12:30", "update")
    facts: dict[str, Any] = {"released_on": "2019-02-01", "is_official": True}
    pipeline.annotations.set("build_fingerprint", "B2", facts)
    receive(pipeline, clock, E000_SECOND)
    second = stage("2019-03-02T18:00", "update", "-vv")
    reset = stage("2019-03-03", "reset", "-vv")
    take([*MISTAKES, *NEWER])
    newer = stage("2019-03-03", "update", "-v")
    take([event | WITHDRAWN for event in MISTAKES])
    withdrawn = stage("2019-03-03", "update", "-vv")
    kept = {job: len(pipeline.runs(job)) for job in ("update", "reset")}
    return Story(
        refused, without_action, rows_at_first, first, idle, second, reset, newer, withdrawn, kept
    )


def _look(pipeline: Pipeline, result: Result) -> Stage:
    assert result.exit_code == 0, result.output

    def of_each(look: Callable[[Pipeline, str], Any]) -> Any:
        return {dimension: look(pipeline, dimension) for dimension in FIELDS}

    return Stage(
        printed=result.output,
        totals=of_each(totals),
        days=of_each(days),
        rows=all_rows(pipeline),
        answers={dimension: pipeline.query(f"{dimension}-versions") for dimension in FIELDS},
        events=stored_events(pipeline, REPORT),
    )
