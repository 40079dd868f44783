"""Updates and resets of the rollups: exact, whatever happens between, during and after them.

D20: there are no bookmarks. Marks say what is to do and stored reports what was done, so the cases
about bookmarks are tested for what they are there for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from stats_pipeline.clock import ManualClock, format_time, parse_time
from stats_pipeline.model import Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.reports import Touched
from stats_pipeline.stores.protocol import Document, Put, Verdict
from tests.contrib.crash_reports import (
    NAMES,
    REPORT,
    START,
    InterruptedAggregator,
    Make,
    all_rows,
    beats,
    crash,
    days,
    heartbeat,
    interrupted,
    reset,
    rows,
    take,
    totals,
    update,
    versions,
)
from tests.support import stored_events

BUILDS, RADIOS = f"{REPORT}-build-day-agg", f"{REPORT}-radio-day-agg"


class TickingClock(ManualClock):
    """Be a millisecond later whenever somebody looks, so that no two moments are one."""

    def now(self) -> Any:
        """Return a later time than before."""
        self.advance(0.001)
        return super().now()


@pytest.fixture
def server(embedded_server: Pipeline) -> Pipeline:
    """Give a server of phones' reports, on the embedded pair."""
    return embedded_server


def test_A000_04_A000_05_A000_06_a_reset_says_what_the_reports_say(make: Make) -> None:
    """A row of a value that no report has is gone; a counter that is wrong is right again."""
    server = make()
    take(server, beats("01", "02", "02"))
    take(server, beats("02", device="B"))
    server.update([BUILDS, RADIOS])
    expected = {name: rows(server, name) for name in (BUILDS, RADIOS)}
    for name in (BUILDS, RADIOS):
        _spoil(server, name)
    assert all(rows(server, name) != expected[name] for name in expected)
    report = server.reset([BUILDS, RADIOS])
    assert report.is_complete
    assert {name: rows(server, name) for name in expected} == expected
    changes = [(each.deleted, each.created) for each in report.aggregations.values()]
    assert changes == [(3, 2), (3, 2)]
    assert [row["heartbeats"] for row in rows(server, BUILDS)] == [1, 2]


def test_A000_10_any_number_of_updates_is_one_reset(server: Pipeline) -> None:
    """Reports come one by one, in no order, some of them twice; rows are the same to the letter."""
    for day in ("09", "03", "09", "05", "03"):
        take(server, beats(day))
        take(server, [crash("A", f"2019-02-{day}T11:00", reason=None)])
        update(server)
    incremental, table = all_rows(server), versions(server)
    reset(server)
    assert (all_rows(server), versions(server)) == (incremental, table)
    assert totals(server) == {"B1": (3, 0, 0, 3)}


def test_A000_11_A000_16_how_fresh_a_rollup_is_was_taken_before_it_read_anything(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D20: not when the run ended; the marks decide what is counted, not this time."""
    clock = TickingClock(START)
    server = make(clock, **interrupted(BUILDS))
    take(server, beats("01"))
    read_at: list[datetime] = []
    look = staticmethod(lambda: read_at.append(clock.now()))
    monkeypatch.setattr(InterruptedAggregator, "interrupt", look)
    report = server.update([BUILDS])
    started = parse_time(report.started_at)
    assert as_of(server, BUILDS) == started < read_at[0] < clock.now()


def test_A000_11_all_rollups_of_a_run_are_equally_fresh(make_embedded: Make) -> None:
    """The bound is taken once, when the run begins: of an update, and of a reset."""
    server = make_embedded(TickingClock(START))
    for job in (server.update, server.reset):
        take(server, beats("01"))
        take(server, [crash("A", "2019-02-01T11:00")])
        report = job(NAMES)
        assert report.is_complete
        assert {as_of(server, name) for name in NAMES} == {parse_time(report.started_at)}


def test_A000_53_the_first_counter_of_a_new_row_creates_it(make_embedded: Make) -> None:
    """The others update it, of an update and of a reset, and whatever threads do first."""
    server = make_embedded(STATS_UPDATE_THREADS=4)
    dates = [f"{day:02}" for day in range(1, 9)]
    take(server, [*beats(*dates), *(crash("A", f"2019-02-{day}T11:00") for day in dates[1:])])
    take(server, [crash("A", "2019-02-09T11:00")])
    for job in (server.update, server.reset):
        report = job(NAMES).aggregations
        assert report[BUILDS].counters == {
            "heartbeats": Touched(created=8),
            "prob_crashes": Touched(created=1, updated=7),
            "smpl": Touched(),
            "other": Touched(),
        }
        ever = report[f"{REPORT}-build-all-agg"].counters
        assert (ever["heartbeats"], ever["prob_crashes"]) == (
            Touched(created=1, updated=7),
            Touched(updated=8),
        )


def test_A000_54_a_day_that_loses_one_counter_is_not_gone(make_embedded: Make) -> None:
    """It is gone, and is reported as deleted, when it has lost the last of them."""
    server = make_embedded()
    report = {**crash("A", "2019-02-01T11:00"), "event_id": "any"}
    beat = {**heartbeat("A", "2019-02-01T10:00"), "event_id": "any"}
    take(server, [report, beat])
    update(server)
    for event, deleted in ((report, 0), (beat, 1)):
        take(server, [{**event, "revision": 1, "withdrawn": True}])
        assert update(server).aggregations[BUILDS].deleted == deleted


def as_of(server: Pipeline, name: str) -> datetime | None:
    """Return how fresh readers are told that a rollup is."""
    return server.rows(None, name).as_of


def test_A000_15_a_report_that_arrives_during_a_run_counts_once_after_the_next(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D20: in this run or in the next one, of the same day and of another one."""
    server = make(**interrupted(BUILDS))

    def arrive() -> None:
        monkeypatch.setattr(InterruptedAggregator, "interrupt", lambda: None)
        take(server, beats("01", "05", device="late"))

    take(server, beats("01"))
    monkeypatch.setattr(InterruptedAggregator, "interrupt", arrive)
    server.update([BUILDS])
    assert [row["heartbeats"] for row in rows(server, BUILDS)] in ([1], [2], [2, 1])
    server.update([BUILDS])
    assert [row["heartbeats"] for row in rows(server, BUILDS)] == [2, 1]


def test_A000_17_a_run_that_began_earlier_does_not_make_answers_look_older(make: Make) -> None:
    """D20: of several runs, the latest start counts."""
    later, earlier = (make(ManualClock(START + timedelta(hours=hours))) for hours in (1, 0))
    for server in (later, earlier):
        assert server.update([BUILDS]).is_complete
    assert later.rows(None, BUILDS).as_of == later.clock.now()


def test_A000_20_every_time_is_aware_utc(server: Pipeline) -> None:
    """A time without a zone is UTC, any other is turned into it."""
    beat = heartbeat("A", "2019-02-01T00:30:00+02:00")
    take(server, [beat, heartbeat("A", "2019-02-01T10:00")])
    update(server)
    (row,) = rows(server, f"{REPORT}-build-all-agg")
    assert row["first_seen"] == "2019-01-31T22:30:00.000Z"
    assert set(days(server)) == {("B1", "2019-01-31"), ("B1", "2019-02-01")}
    times = [
        event[name]
        for event in stored_events(server, REPORT)
        for name in ("timestamp", "received_at")
    ]
    times += [
        row[name]
        for found in all_rows(server).values()
        for row in found
        for name in ("start", "end")
    ]
    assert all(time == format_time(parse_time(time)) for time in times)
    assert server.rows(None, BUILDS).as_of == START


def _spoil(server: Pipeline, name: str) -> None:
    """Write a wrong counter into the first row, and a row of a version that no report has."""
    alias = server.registries.aggregation(name).alias
    with server.store.snapshot([alias]) as snapshot:
        row: Document = next(snapshot.scan(Filter(), ["timestamp"]))
    dimension = server.registries.aggregation(name).config.aggregation_field[0]
    operations = [
        Put(row.index, row.id, {**row.body, "heartbeats": 4}),
        Put(row.index, "by hand", {**row.body, dimension: "nobody has it"}),
    ]
    assert all(each.verdict is Verdict.DONE for each in server.store.bulk(operations))
    server.store.refresh([alias])
