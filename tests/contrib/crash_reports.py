"""A server that takes reports of phones: the worked example E000, and what its tests read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Protocol

from stats_pipeline import StatAggregator
from stats_pipeline.aggregations.aggregator import Row
from stats_pipeline.clock import ManualClock, parse_time
from stats_pipeline.intervals import Period
from stats_pipeline.model import Event, Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.reports import ProcessingReport, UpdateReport
from stats_pipeline.stores.protocol import Snapshot

REPORT = "device-report"
ACTIVE: Mapping[str, Any] = {REPORT: {}}
FIELDS = {"build": "build_fingerprint", "radio": "radio_version"}
COUNTERS = ("heartbeats", "prob_crashes", "smpl", "other")
NAMES = [
    f"{REPORT}-{dimension}-{interval}-agg"
    for dimension in ("build", "radio")
    for interval in ("all", "day")
]

#: When the tests begin; E000 ends a day later.
START = datetime(2019, 3, 2, tzinfo=UTC)

Counts = tuple[int, int, int, int]


class Make(Protocol):
    """Make a pipeline that takes reports, on whichever store and queue the test runs."""

    def __call__(self, clock: ManualClock | None = None, **settings: Any) -> Pipeline:
        """Make it."""


def heartbeat(
    device: str, time: str, build: str | None = "B1", radio: str | None = "R1", **more: Any
) -> Event:
    """Return a heartbeat as a phone sends it."""
    return {
        "kind": "heartbeat",
        "device_id": device,
        "timestamp": time,
        "build_fingerprint": build,
        "radio_version": radio,
        **more,
    }


def crash(
    device: str,
    time: str,
    build: str | None = "B1",
    reason: str | None = "UNKNOWN",
    radio: str | None = "R1",
    **more: Any,
) -> Event:
    """Return a crash report as a phone sends it."""
    beat = heartbeat(device, time, build, radio)
    return {**beat, "kind": "crash", "boot_reason": reason, **more}


def beats(*days: str, device: str = "A", build: str = "B1") -> list[dict[str, Any]]:
    """Return a heartbeat of each of these days of February."""
    return [heartbeat(device, f"2019-02-{day}T10:00", build) for day in days]


#: E000: (received at, report), up to the first update and up to the second one.
E000_FIRST: list[tuple[str, Event]] = [
    ("2019-03-01T10:05", heartbeat("A", "2019-03-01T10:00")),  # H1
    ("2019-03-01T10:06", heartbeat("A", "2019-03-01T10:00")),  # H2, a copy of H1
    ("2019-03-01T10:07", heartbeat("B", "2019-03-01T10:00")),  # H3
    ("2019-03-02T00:05", heartbeat("A", "2019-03-01T23:30", radio=None)),  # H4
    ("2019-03-02T10:05", heartbeat("A", "2019-03-02T10:00", "B2")),  # H5
    ("2019-03-02T11:00", crash("A", "2019-03-02T11:00")),  # C1
    ("2019-03-02T11:31", crash("B", "2019-03-02T11:30", "B2", "RTC alarm")),  # C2
    ("2019-03-02T12:00", crash("B", "2019-03-02T11:40", "B2", "random")),  # C3
]
E000_SECOND: list[tuple[str, Event]] = [
    ("2019-03-02T13:00", heartbeat("A", "2019-03-01T10:00")),  # H6, a late copy of H1
    ("2019-03-02T14:00", heartbeat("C", "2019-02-20T08:00")),  # H7
    ("2019-03-02T15:01", crash("C", "2019-03-02T15:00", reason="keyboard power on")),
    ("2019-03-02T16:00", heartbeat("B", "2019-02-25T08:00", "B2", "R2")),  # H8
]


def clock_at(time: str) -> ManualClock:
    """Return a clock that stands at this time (UTC)."""
    return ManualClock(parse_time(time))


def receive(pipeline: Pipeline, clock: ManualClock, reports: Sequence[tuple[str, Event]]) -> None:
    """Publish each report at the time at which it was received, then process all of them."""
    for time, report in reports:
        advance_to(clock, time)
        pipeline.publish(REPORT, [report])
    process(pipeline)


def take(pipeline: Pipeline, reports: Sequence[Event]) -> ProcessingReport:
    """Publish and process these reports."""
    pipeline.publish(REPORT, reports)
    return process(pipeline)


def process(pipeline: Pipeline) -> ProcessingReport:
    """Process what waits; no type may fail."""
    report = pipeline.process_events()
    assert not report.error, report
    return report


def update(pipeline: Pipeline) -> UpdateReport:
    """Bring all rollups up to date."""
    return _complete(pipeline.update(NAMES))


def reset(pipeline: Pipeline) -> UpdateReport:
    """Recompute all rollups."""
    return _complete(pipeline.reset(NAMES))


def _complete(report: UpdateReport) -> UpdateReport:
    assert report.is_complete, report
    return report


def advance_to(clock: ManualClock, time: str) -> None:
    """Move the clock forward to this time (UTC)."""
    step = parse_time(time) - clock.now()
    clock.advance(max(step, timedelta()).total_seconds())


def rows(pipeline: Pipeline, name: str) -> list[dict[str, Any]]:
    """Return the rows of an aggregation that readers see, oldest first."""
    alias = pipeline.registries.aggregation(name).alias
    with pipeline.store.snapshot([alias]) as snapshot:
        return [dict(row.body) for row in snapshot.scan(Filter(), ["timestamp"])]


def all_rows(pipeline: Pipeline) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all rollups, in an order of their own."""
    return {name: sorted(rows(pipeline, name), key=repr) for name in NAMES}


def days(pipeline: Pipeline, dimension: str = "build") -> dict[tuple[str, str], Counts]:
    """Return (value, day) -> heartbeats, probable crashes, SMPL, other."""
    return _counts(pipeline, dimension, "day", lambda row: row["start"][:10])


def totals(pipeline: Pipeline, dimension: str = "build") -> dict[str, Counts]:
    """Return value -> heartbeats, probable crashes, SMPL, other of all time."""
    found = _counts(pipeline, dimension, "all", lambda _: "")
    return {value: counts for (value, _), counts in found.items()}


def _counts(
    pipeline: Pipeline, dimension: str, interval: str, label: Any
) -> dict[tuple[str, str], Counts]:
    return {
        (row[FIELDS[dimension]], label(row)): counts(row)
        for row in rows(pipeline, f"{REPORT}-{dimension}-{interval}-agg")
    }


def counts(row: Mapping[str, Any]) -> Counts:
    """Return the four counters of a row."""
    return row["heartbeats"], row["prob_crashes"], row["smpl"], row["other"]


def versions(pipeline: Pipeline, dimension: str = "build", **params: Any) -> dict[str, Any]:
    """Return the table of versions: version -> its bucket without the key."""
    buckets = pipeline.query(f"{dimension}-versions", **params)["buckets"]
    return {bucket.pop("key"): bucket for bucket in buckets}


class InterruptedAggregator(StatAggregator):
    """Call what a test has set before the first row of an interval is computed."""

    interrupt: ClassVar[Callable[[], None]] = lambda: None

    def rows(self, events: Snapshot, period: Period) -> Iterator[Row]:
        """Yield the rows."""
        type(self).interrupt()
        yield from super().rows(events, period)


def interrupted(*names: str) -> dict[str, Any]:
    """Return the setting by which these aggregations are interrupted."""
    return {
        "STATS_AGGREGATIONS": {name: {"aggregator_class": InterruptedAggregator} for name in names}
    }
