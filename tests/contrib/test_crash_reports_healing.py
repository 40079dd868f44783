"""What goes wrong during an update or a reset costs no number and doubles none."""

from __future__ import annotations

import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from stats_pipeline import StatAggregator
from stats_pipeline.aggregations.aggregator import Row
from stats_pipeline.clock import parse_time
from stats_pipeline.errors import StoreRefused
from stats_pipeline.intervals import period_of
from stats_pipeline.stores.elasticsearch import groups
from stats_pipeline.stores.protocol import Operation
from tests.contrib.crash_reports import (
    REPORT,
    Counts,
    InterruptedAggregator,
    Make,
    beats,
    counts,
    crash,
    heartbeat,
    interrupted,
    rows,
    take,
)

BUILDS, RADIOS = f"{REPORT}-build-day-agg", f"{REPORT}-radio-day-agg"


def fail() -> None:
    """Go wrong as code of a host may."""
    raise RuntimeError("the test lets it fail")


def test_A000_19_A000_60_a_run_that_failed_is_done_again_and_counts_nothing_twice(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T000-03: the builds were done, the radios failed; each rollup is whole or as it was before.

    What failed says so, and does not look fresher than it is.
    """
    server = make(**interrupted(RADIOS))
    take(server, beats("01"))
    server.update([BUILDS, RADIOS])
    as_of = server.rows(None, RADIOS).as_of
    take(server, beats("01", device="B"))
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


@pytest.mark.parametrize(("interval", "number"), [("day", 2), ("all", 2 + 3)])
def test_A000_56_the_four_counters_of_a_row_change_together_or_not_at_all(
    make: Make, monkeypatch: pytest.MonkeyPatch, interval: str, number: int
) -> None:
    """Amended (docs/design-notes.md): of a row, since what a run has finished stays done.

    Readers look before and after each of its writes, and where it ends in the middle. Rows of all
    time are written after those of their days, which readers don't see: 2,500 versions are three
    bulks of each. The next run does the rest, and counts nothing twice.
    """
    server = make()
    name, builds = f"{REPORT}-build-{interval}-agg", [f"B{n}" for n in range(2_500)]
    take(server, [heartbeat(build, "2019-02-01", build) for build in builds])
    assert server.update([name]).is_complete
    old, new = (1, 0, 0, 0), (2, 1, 1, 1)
    reports = [heartbeat(f"other {build}", "2019-02-01", build) for build in builds]
    for reason in ("UNKNOWN", "RTC alarm", "random"):
        reports += [crash(f"{reason} {build}", "2019-02-01", build, reason) for build in builds]
    take(server, reports)
    seen: list[Counter[Counts]] = []
    bulks: list[Sequence[Operation]] = []
    bulk = server.store.bulk

    def look() -> None:
        server.store.refresh([server.registries.aggregation(name).alias])
        seen.append(Counter(counts(row) for row in rows(server, name)))

    def look_around(operations: Sequence[Operation]) -> Sequence[Any]:
        look()
        bulks.append(operations)
        if len(bulks) == number:
            raise StoreRefused("the test lets it fail")
        results = bulk(operations)
        look()
        return results

    monkeypatch.setattr(server.store, "bulk", look_around)
    assert "the test lets it fail" in server.update([name]).aggregations[name].error
    assert (seen[0], seen[-1]) == ({old: 2_500}, {old: 1_500, new: 1_000})
    assert server.update([name]).is_complete
    assert seen[-1] == {new: 2_500}
    assert all(each.keys() <= {old, new} for each in seen)
    # What is between two of these moments was not looked at, but each row is one document.
    for operations in bulks:
        assert len({operation.id for operation in operations}) == len(operations)


def test_A000_34_A000_57_runs_at_the_same_time_neither_lose_nor_double_anything(
    make: Make,
) -> None:
    """T000-04, T000-15: four servers update at once, time and again while reports come in."""
    servers = [make() for _ in range(4)]
    for device in range(3):
        take(servers[0], beats("01", "02", device=str(device)))
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
    take(server, beats("01", "02"))
    server.update([BUILDS])
    before = rows(server, BUILDS)
    monkeypatch.setattr(InterruptedAggregator, "interrupt", fail)
    assert "the test lets it fail" in server.reset([BUILDS]).aggregations[BUILDS].error
    assert rows(server, BUILDS) == before
    seen: list[int] = []
    look = staticmethod(lambda: seen.append(len(rows(server, BUILDS))))
    monkeypatch.setattr(InterruptedAggregator, "interrupt", look)
    take(server, beats("03"))
    assert server.update([BUILDS]).is_complete
    assert server.reset([BUILDS]).is_complete
    assert [row["heartbeats"] for row in rows(server, BUILDS)] == [1, 1, 1]
    assert seen == [2, 3, 3, 3]


def test_A000_59_memory_does_not_grow_with_the_number_of_versions(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are computed and let go one at a time: all of them would take more than twice that.

    Of Elasticsearch a page at a time, which is a smaller one here, so that there are ten of them.
    """
    monkeypatch.setattr(groups, "PAGE_GROUPS", 2_000)
    server = make()
    builds = range(20_000)
    events = [
        heartbeat("A", f"2019-02-01T10:{n % 60:02}:{n // 60 % 60:02}.{n // 3600:03}", f"B{n}")
        for n in builds
    ]
    assert take(server, events).indexed == len(builds)
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
