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
from stats_pipeline.stores.protocol import Document, Put, Verdict
from tests.contrib.crash_reports import (
    CRASH_REPORT,
    HEARTBEAT,
    NAMES,
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

BUILDS, RADIOS = f"{HEARTBEAT}-build-day-agg", f"{HEARTBEAT}-radio-day-agg"


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


def test_A000_02_A000_03_the_first_update_counts_all_and_the_next_what_is_new(
    server: Pipeline,
) -> None:
    """What was counted is kept, and not even looked at."""
    take(server, HEARTBEAT, beats("01", "02"))
    take(server, CRASH_REPORT, [crash("A", "2018-01-01T10:00")])
    assert update(server).aggregations[BUILDS].created == 2
    assert totals(server) == {"B1": (2, 1, 0, 0)}
    take(server, HEARTBEAT, beats("03"))
    report = update(server).aggregations[BUILDS]
    assert (report.intervals, report.created, report.updated) == (1, 1, 0)
    assert totals(server) == {"B1": (3, 1, 0, 0)}


def test_A000_04_A000_05_A000_06_a_reset_says_what_the_reports_say(make: Make) -> None:
    """A row of a value that no report has is gone; a counter that is wrong is right again."""
    server = make()
    take(server, HEARTBEAT, beats("01", "02", "02"))
    take(server, HEARTBEAT, beats("02", device="B"))
    server.update([BUILDS, RADIOS])
    expected = {name: rows(server, name) for name in (BUILDS, RADIOS)}
    for name in (BUILDS, RADIOS):
        _spoil(server, name)
    assert all(rows(server, name) != expected[name] for name in expected)
    assert server.reset([BUILDS, RADIOS]).is_complete
    assert {name: rows(server, name) for name in expected} == expected
    assert [row["heartbeats"] for row in rows(server, BUILDS)] == [1, 2]


def test_A000_07_an_update_without_new_reports_changes_nothing(make_embedded: Make) -> None:
    """It writes no row, and the answers are as fresh as this run."""
    clock = ManualClock(START)
    server = make_embedded(clock)
    take(server, HEARTBEAT, beats("01"))
    update(server)
    before = all_rows(server)
    clock.advance(3600)
    report = update(server)
    assert {each.intervals for each in report.aggregations.values()} == {0}
    assert all_rows(server) == before
    assert server.query("build-versions")["as_of"] == "2019-03-02T01:00:00.000Z"


def test_A000_08_no_run_touches_the_reports(server: Pipeline) -> None:
    """Neither an update nor a reset."""
    take(server, HEARTBEAT, beats("01", "02"))
    before = stored_events(server, HEARTBEAT)
    update(server)
    reset(server)
    assert len(before) == 2
    assert stored_events(server, HEARTBEAT) == before


def test_A000_10_any_number_of_updates_is_one_reset(server: Pipeline) -> None:
    """Reports come one by one, in no order, some of them twice; rows are the same to the letter."""
    for day in ("09", "03", "09", "05", "03"):
        take(server, HEARTBEAT, beats(day))
        take(server, CRASH_REPORT, [crash("A", f"2019-02-{day}T11:00", reason=None)])
        update(server)
    incremental, table = all_rows(server), versions(server)
    reset(server)
    assert (all_rows(server), versions(server)) == (incremental, table)
    assert totals(server) == {"B1": (3, 0, 0, 3)}


def test_A000_11_A000_16_how_fresh_a_rollup_is_was_taken_before_it_read_anything(
    make_embedded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D20: not when the run ended; the marks decide what is counted, not this time."""
    clock = TickingClock(START)
    server = make_embedded(clock, **interrupted(BUILDS))
    take(server, HEARTBEAT, beats("01"))
    seen: list[str] = []
    read_at: list[datetime] = []
    look = staticmethod(lambda: read_at.append(clock.now()))
    monkeypatch.setattr(InterruptedAggregator, "interrupt", look)
    report = update(server)
    ended = format_time(clock.now())
    for name in NAMES:
        as_of = server.rows(None, name).as_of
        assert as_of is not None
        seen.append(format_time(as_of))
        assert report.started_at <= seen[-1] < ended
    assert seen == sorted(seen)
    as_of = server.rows(None, BUILDS).as_of
    assert as_of is not None
    assert as_of < read_at[0]


def test_A000_12_A000_13_a_report_of_the_moment_of_an_update_counts_exactly_once(
    server: Pipeline,
) -> None:
    """D20: the clock stands still from the first report to the last update."""
    for device in "AB":
        take(server, HEARTBEAT, beats("01", device=device))
        update(server)
    update(server)
    assert totals(server) == {"B1": (2, 0, 0, 0)}


def test_A000_14_receipt_selects_what_is_new_and_its_own_time_places_it(server: Pipeline) -> None:
    """A phone that was offline for weeks is counted in the next run, on the day of its event."""
    take(server, HEARTBEAT, beats("27"))
    update(server)
    take(server, HEARTBEAT, beats("02", device="offline"))
    update(server)
    assert set(days(server)) == {("B1", "2019-02-02"), ("B1", "2019-02-27")}


def test_A000_15_a_report_that_arrives_during_a_run_counts_once_after_the_next(
    make_embedded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D20: in this run or in the next one, of the same day and of another one."""
    server = make_embedded(**interrupted(BUILDS))

    def arrive() -> None:
        monkeypatch.setattr(InterruptedAggregator, "interrupt", lambda: None)
        take(server, HEARTBEAT, beats("01", "05", device="late"))

    take(server, HEARTBEAT, beats("01"))
    monkeypatch.setattr(InterruptedAggregator, "interrupt", arrive)
    server.update([BUILDS])
    assert [row["heartbeats"] for row in rows(server, BUILDS)] in ([1], [2], [2, 1])
    server.update([BUILDS])
    assert [row["heartbeats"] for row in rows(server, BUILDS)] == [2, 1]


def test_A000_17_a_run_that_began_earlier_does_not_make_answers_look_older(
    make_embedded: Make,
) -> None:
    """D20: of several runs, the latest start counts."""
    later = make_embedded(ManualClock(START + timedelta(hours=1)))
    update(later)
    earlier = make_embedded(ManualClock(START))
    update(earlier)
    assert later.query("build-versions")["as_of"] == "2019-03-02T01:00:00.000Z"


def test_A000_18_each_run_that_did_something_is_kept(server: Pipeline) -> None:
    """D20: n runs are n reports, and a reset removes none of them; T000-10: they are pruned."""
    for day in ("01", "02"):
        take(server, HEARTBEAT, beats(day))
        update(server)
    reset(server)
    assert len(server.runs("update")) == 2
    assert len(server.runs("reset")) == 1


def test_A000_20_every_time_is_aware_utc(server: Pipeline) -> None:
    """A time without a zone is UTC, any other is turned into it."""
    beat = heartbeat("A", "2019-02-01T00:30:00+02:00")
    take(server, HEARTBEAT, [beat, heartbeat("A", "2019-02-01T10:00")])
    update(server)
    (row,) = rows(server, f"{HEARTBEAT}-build-all-agg")
    assert row["first_seen"] == "2019-01-31T22:30:00.000Z"
    assert set(days(server)) == {("B1", "2019-01-31"), ("B1", "2019-02-01")}
    times = [
        event[name]
        for event in stored_events(server, HEARTBEAT)
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
