"""Raw reports need not be kept for ever: the rollups of all time follow from those of days."""

from __future__ import annotations

from typing import Any

from stats_pipeline import Count
from stats_pipeline.clock import ManualClock, parse_time
from stats_pipeline.metrics import First
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.reports import RetentionReport
from tests.contrib.crash_reports import (
    NAMES,
    REPORT,
    Make,
    crash,
    heartbeat,
    reset,
    rows,
    take,
    totals,
    update,
    versions,
)
from tests.support import stored_events

HOUR_SECONDS = 3_600
EVER = f"{REPORT}-build-all-agg"

#: With 31 days, 2019-05-15 closes what is before April.
MAY = "2019-05-15T12:00"
FOR_A_MONTH: dict[str, Any] = {
    "STATS_EVENTS": {REPORT: {"processor_config": {"retention_days": 31}}}
}


def retain(server: Pipeline, clock: ManualClock) -> RetentionReport:
    """Close, wait, seal and delete; return what the last run did."""
    server.apply_retention()
    clock.advance(HOUR_SECONDS)
    return server.apply_retention()


def test_A000_33_A000_41_what_was_counted_of_deleted_reports_stays(make: Make) -> None:
    """Counters and first days go on from there, after updates and after a reset."""
    clock = ManualClock(parse_time(MAY))
    server = make(clock, **FOR_A_MONTH)
    take(server, [heartbeat("A", "2019-02-20T10:00"), heartbeat("A", MAY)])
    take(server, [crash("A", "2019-03-01T11:00", reason="RTC alarm")])
    update(server)
    before = versions(server)
    assert sum(retain(server, clock).events.values()) == 2
    assert [event["timestamp"][:7] for event in stored_events(server, REPORT)] == ["2019-05"]
    take(server, [heartbeat("B", MAY), heartbeat("C", MAY, "B2")])
    update(server)
    after = versions(server)
    assert totals(server) == {"B1": (3, 0, 1, 0), "B2": (1, 0, 0, 0)}
    assert after["B1"]["first_seen"] == before["B1"]["first_seen"] == "2019-02-20"
    reset(server)
    assert versions(server) == after


def test_a_late_report_costs_its_day_only(make: Make) -> None:
    """Not all reports of all time: those of other days could even be gone."""
    server = make()
    take(server, [heartbeat("A", "2019-01-20T10:00"), heartbeat("A", "2019-02-20")])
    server.update([EVER])
    server.store.delete_indices([f"{server.registries.event_type(REPORT).alias}-2019-01"])
    take(server, [heartbeat("B", "2019-02-20T10:00")])
    assert server.update([EVER]).is_complete
    assert totals(server)["B1"][0] == 3
    assert all(server.registries.aggregation(name).follows_from_days for name in NAMES[::2])


def test_rows_of_another_definition_want_one_reset(make: Make) -> None:
    """A `First` keeps no days of all time: an update says what to run."""
    metrics = {"heartbeats": Count(), "first_seen": First("timestamp")}
    earlier = make(STATS_AGGREGATIONS={EVER: {"aggregator_config": {"metrics": metrics}}})
    take(earlier, [heartbeat("A", "2019-02-20T10:00")])
    assert earlier.update([EVER]).is_complete
    server = make()
    take(server, [heartbeat("B", "2019-02-21T10:00")])
    assert f"run `stats reset {EVER}`" in server.update([EVER]).aggregations[EVER].error
    assert [row["heartbeats"] for row in rows(server, EVER)] == [1]
    assert server.reset([EVER]).is_complete
    found = versions(server)["B1"]
    assert (found["heartbeats"], found["first_seen"]) == (2.0, "2019-02-20")
