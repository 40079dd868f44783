"""Resets and repeats: readers see all or the old, and what was killed is made up for in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from stats_pipeline.aggregations.lease import acquire
from stats_pipeline.clock import Clock, ManualClock
from stats_pipeline.model import Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.protocol import Put, Store, Verdict
from tests.aggregations.conftest import Make, SetCall
from tests.aggregations.faulty import CallingAggregator
from tests.aggregations.happenings import SLIDING
from tests.aggregations.host import NOON, table, take, update, visits


def _die_holding(pipeline: Pipeline, key: str, clock: Clock) -> None:
    alias = pipeline.registries.aggregation("pages-agg").alias
    assert acquire(pipeline.store.state, clock, alias + key, 60)


def test_a_suspect_interval_is_repeated_now_and_then_and_at_once_for_new_events(
    make: Make,
) -> None:
    """Not by every tick of a day: it may be all of history."""
    clock = ManualClock(NOON)
    pipeline = make(clock=clock)
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))
    _die_holding(pipeline, "#g1/2017-01-01T00:00:00.000Z", clock)
    repeats = 0
    for _ in range(6 * 25):
        clock.advance(600)
        repeats += pipeline.update(["pages-agg"]).aggregations["pages-agg"].intervals
    assert 2 < repeats < 15
    take(pipeline, visits(("2017-01-01T11:00:00Z", "a")))
    assert update(pipeline) == {"updated": 1}


@pytest.mark.parametrize("is_sliding", [False, True])
def test_a_suspect_lease_may_be_taken_any_number_of_times(make: Make, is_sliding: bool) -> None:
    """At each tick, where events come all the time; by the sliding rule that of all flags, too."""
    clock = ManualClock(NOON)
    pipeline = make(clock=clock, **(SLIDING if is_sliding else {}))
    _die_holding(pipeline, "#g1/2017-01-01T00:00:00.000Z", clock)
    flags = f"{pipeline.registries.event_type('visit').alias}/double-clicks"
    assert acquire(pipeline.store.state, clock, flags, 60)
    for minute in range(40):
        clock.advance(61)
        take(pipeline, visits((f"2017-01-01T10:{minute:02d}:00Z", "a")))
        update(pipeline)
        assert table(pipeline) == {("2017-01-01", "a"): minute + 1}
    clock.advance(86_400)
    assert update(pipeline) == {"unchanged": 1}
    assert update(pipeline) == {}
    assert pipeline.reset(["pages-agg"]).is_complete


def test_a_reset_that_was_killed_ends_when_it_is_run_again(make: Make) -> None:
    """Not a day later, when its interval is no longer suspect: nobody reads those rows yet."""
    clock = ManualClock(NOON)
    pipeline = make(clock=clock)
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a"), ("2017-01-02T10:00:00Z", "a")))
    update(pipeline)
    _die_holding(pipeline, "#g2/2017-01-01T00:00:00.000Z", clock)
    clock.advance(61)
    assert pipeline.reset(["pages-agg"]).is_complete
    alias = pipeline.registries.aggregation("pages-agg").alias
    assert [name[-3:] for name in pipeline.store.index_uuids([f"{alias}-2017-01-g2"])] == ["-g2"]
    assert table(pipeline) == {("2017-01-01", "a"): 1, ("2017-01-02", "a"): 1}
    clock.advance(86_400)
    assert pipeline.update(["pages-agg"]).aggregations["pages-agg"].unchanged == 1
    assert update(pipeline) == {}


def test_a_reset_removes_orphans_of_each_interval_that_its_range_overlaps(make: Make) -> None:
    """Also of the one in which the range begins: rows that no event and no mark speaks of."""
    months = {"aggregation_interval": "month", "index_interval": "year"}
    pipeline = make(aggregations={"pages-agg": months})
    take(pipeline, visits(("2016-11-10T10:00:00Z", "a"), ("2016-12-10T10:00:00Z", "a")))
    update(pipeline)
    alias = pipeline.registries.aggregation("pages-agg").alias
    with pipeline.store.snapshot([alias]) as snapshot:
        (first, _) = snapshot.scan(Filter(), ["timestamp"])
    orphans = [
        Put(first.index, month, {**first.body, "page": "z", "timestamp": time, "start": time})
        for month in ("2016-08", "2016-09", "2016-10")
        for time in [f"{month}-01T00:00:00.000Z"]
    ]
    assert all(result.verdict is Verdict.DONE for result in pipeline.store.bulk(orphans))
    pipeline.store.refresh([alias])
    report = pipeline.reset(["pages-agg"], start="2016-09-15", end="2016-10-15")
    assert report.aggregations["pages-agg"].deleted == 2
    assert table(pipeline) == {
        ("2016-08-01", "z"): 1,
        ("2016-11-01", "a"): 1,
        ("2016-12-01", "a"): 1,
    }


class LookingAtTheSwap:
    """A store that calls a function at once after each swap of an alias."""

    def __init__(self, store: Store, look: Callable[[], object]) -> None:
        self._store = store
        self._look = look

    def swap_alias(self, alias: str, *, add: Sequence[str], remove: Sequence[str]) -> None:
        """Swap, and look."""
        self._store.swap_alias(alias, add=add, remove=remove)
        self._look()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_readers_never_see_less_when_the_rows_of_a_reset_take_their_place(make: Make) -> None:
    """Also of the interval that was computed last, and of one row for all time."""
    config = {"pages-agg": {}, "ever-agg": {"aggregation_interval": "all"}}
    pipeline = make(aggregations=config)
    take(pipeline, visits(*[(f"2017-01-0{day}T10:00:00Z", "a") for day in range(1, 4)]))
    pipeline.update()
    before = [table(pipeline, name) for name in config]
    seen: list[object] = []
    look = LookingAtTheSwap(
        pipeline.store, lambda: seen.append([table(pipeline, name) for name in config])
    )
    pipeline._connections.store = look  # type: ignore[assignment]
    assert pipeline.reset(list(config)).is_complete
    assert seen == [before] * 2


def test_readers_see_the_old_rows_until_a_reset_is_through(make: Make, at_row: SetCall) -> None:
    """In the middle of a reset every number is there; one that is cut short is taken up again."""
    pipeline = make(aggregator_class=CallingAggregator)
    take(pipeline, visits(*[(f"2017-01-0{day}T10:00:00Z", "a") for day in range(1, 4)]))
    update(pipeline)
    before, seen = table(pipeline), []

    def look(_: int) -> None:
        seen.append(table(pipeline))
        if len(seen) == 4:
            raise KeyboardInterrupt

    at_row(look)
    with pytest.raises(KeyboardInterrupt):
        pipeline.reset(["pages-agg"])
    take(pipeline, visits(("2017-01-03T11:00:00Z", "a")))
    at_row(lambda _: None)
    assert update(pipeline) == {"updated": 1}
    report = pipeline.reset(["pages-agg"])
    assert report.is_complete
    assert report.aggregations["pages-agg"].intervals == 2  # the first one was done already
    assert seen == [before] * 4
    assert table(pipeline) == {**before, ("2017-01-03", "a"): 2}
