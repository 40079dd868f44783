"""What goes wrong during an update or a reset costs no number and doubles none."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from stats_pipeline import StatAggregator
from stats_pipeline.aggregations.aggregator import Row
from stats_pipeline.clock import ManualClock, format_time, parse_time
from stats_pipeline.intervals import period_of
from tests.contrib.crash_reports import (
    CRASH_REPORT,
    HEARTBEAT,
    NAMES,
    START,
    InterruptedAggregator,
    Make,
    beats,
    crash,
    heartbeat,
    interrupted,
    rows,
    take,
    totals,
    update,
)

BUILDS, RADIOS = f"{HEARTBEAT}-build-day-agg", f"{HEARTBEAT}-radio-day-agg"
CRASHES = f"{CRASH_REPORT}-build-all-agg"


def fail() -> None:
    """Go wrong as code of a host may."""
    raise RuntimeError("the test lets it fail")


def test_A000_19_A000_56_A000_60_a_run_that_failed_is_done_again_and_counts_nothing_twice(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T000-03: the builds were done, the radios failed; each rollup is whole or as it was before.

    What failed says so, and does not look fresher than it is.
    """
    server = make(**interrupted(RADIOS))
    take(server, HEARTBEAT, beats("01"))
    server.update([BUILDS, RADIOS])
    as_of = server.rows(None, RADIOS).as_of
    take(server, HEARTBEAT, beats("01", device="B"))
    monkeypatch.setattr(InterruptedAggregator, "interrupt", fail)
    report = server.update([BUILDS, RADIOS])
    assert report.aggregations[BUILDS].is_complete
    assert "the test lets it fail" in report.aggregations[RADIOS].error
    assert server.rows(None, RADIOS).as_of == as_of
    beats_of = {
        name: [row["heartbeats"] for row in rows(server, name)] for name in (BUILDS, RADIOS)
    }
    assert beats_of == {BUILDS: [2], RADIOS: [1]}
    monkeypatch.setattr(InterruptedAggregator, "interrupt", lambda: None)
    again = server.update([BUILDS, RADIOS]).aggregations
    assert (again[BUILDS].intervals, again[RADIOS].updated) == (0, 1)
    assert [row["heartbeats"] for row in rows(server, RADIOS)] == [2]


def test_A000_56_a_table_of_which_one_part_failed_says_so_and_the_next_run_completes_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heartbeats and crashes are rows of their own (docs/design-notes.md): these may be behind.

    The three counters of crashes come together. The table is as fresh as the older part, and what
    was done is not counted again.
    """
    clock = ManualClock(START)
    server = make(clock, **interrupted(CRASHES))
    take(server, HEARTBEAT, beats("01"))
    take(server, CRASH_REPORT, [crash("A", "2019-02-01T11:00")])
    update(server)
    first = server.query("build-versions")["as_of"]
    clock.advance(60)
    take(server, HEARTBEAT, beats("01", device="B"))
    reasons = ("UNKNOWN", "RTC alarm", "random")
    new = [crash("B", f"2019-02-01T1{hour}:00", reason=each) for hour, each in enumerate(reasons)]
    take(server, CRASH_REPORT, new)
    monkeypatch.setattr(InterruptedAggregator, "interrupt", fail)
    report = server.update(NAMES)
    assert not report.is_complete
    assert [name for name, each in report.aggregations.items() if each.error] == [CRASHES]
    assert totals(server) == {"B1": (2, 1, 0, 0)}
    assert server.query("build-versions")["as_of"] == first
    monkeypatch.setattr(InterruptedAggregator, "interrupt", lambda: None)
    again = update(server).aggregations
    assert totals(server) == {"B1": (2, 2, 1, 1)}
    assert [name for name, each in again.items() if each.intervals] == [CRASHES]
    assert server.query("build-versions")["as_of"] == format_time(clock.now())


def test_A000_34_A000_57_runs_at_the_same_time_neither_lose_nor_double_anything(
    make: Make,
) -> None:
    """T000-04, T000-15: four servers update at once, time and again while reports come in."""
    servers = [make() for _ in range(4)]
    for device in range(3):
        take(servers[0], HEARTBEAT, beats("01", "02", device=str(device)))
        threads = [
            threading.Thread(target=server.update, args=([BUILDS, RADIOS],)) for server in servers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    servers[0].update([BUILDS, RADIOS])
    for name in (BUILDS, RADIOS):
        found = [(row["start"][:10], row["heartbeats"]) for row in rows(servers[0], name)]
        assert found == [("2019-02-01", 3), ("2019-02-02", 3)]


def test_A000_55_A000_58_a_reset_that_fails_leaves_what_readers_see(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D2, T000-09: what is there is replaced as a whole or not at all, and never by zeros."""
    server = make(**interrupted(BUILDS))
    take(server, HEARTBEAT, beats("01", "02"))
    server.update([BUILDS])
    before = rows(server, BUILDS)
    monkeypatch.setattr(InterruptedAggregator, "interrupt", fail)
    assert "the test lets it fail" in server.reset([BUILDS]).aggregations[BUILDS].error
    assert rows(server, BUILDS) == before
    seen: list[int] = []
    look = staticmethod(lambda: seen.append(len(rows(server, BUILDS))))
    monkeypatch.setattr(InterruptedAggregator, "interrupt", look)
    take(server, HEARTBEAT, beats("03"))
    assert server.update([BUILDS]).is_complete
    assert server.reset([BUILDS]).is_complete
    assert [row["heartbeats"] for row in rows(server, BUILDS)] == [1, 1, 1]
    assert seen == [2, 3, 3, 3]


def test_A000_59_memory_does_not_grow_with_the_number_of_versions(make: Make) -> None:
    """Rows are computed and let go one at a time: all of them would take more than twice that."""
    server = make()
    builds = range(20_000)
    events = [
        heartbeat("A", f"2019-02-01T10:{n % 60:02}:{n // 60 % 60:02}.{n // 3600:03}", f"B{n}")
        for n in builds
    ]
    assert take(server, HEARTBEAT, events).indexed == len(builds)
    definition = server.registries.aggregation(BUILDS)
    server.store.refresh([definition.event.alias])
    period = period_of(parse_time("2019-02-01"), "day")

    def peak_bytes(consume: Callable[[Iterator[Row]], int]) -> int:
        with server.store.snapshot([definition.event.alias]) as snapshot:
            tracemalloc.start()
            try:
                assert consume(StatAggregator(definition).rows(snapshot, period)) == len(builds)
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    one_by_one = peak_bytes(lambda computed: sum(1 for _ in computed))
    all_at_once = peak_bytes(lambda computed: len(list(computed)))
    assert 2 * one_by_one < all_at_once
