"""An update of several aggregations: tasks that share threads, and write no more than they must."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from stats_pipeline.aggregations.lease import acquire
from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.stores.protocol import ItemResult, Operation, Record, State, Store
from tests.aggregations.conftest import PATIENCE_SECONDS, Make, SetCall
from tests.aggregations.faulty import CallingAggregator
from tests.aggregations.host import NOON, take, update, visits

MONTHLY = {"aggregation_interval": "month"}


def test_the_intervals_of_several_aggregations_share_the_threads(
    make: Make, at_row: SetCall
) -> None:
    """As two rows for all time, which have one interval each; progress counts all of them."""
    config = {f"{name}-agg": {"aggregation_interval": "all"} for name in ("a", "b")}
    pipeline = make(threads=2, aggregator_class=CallingAggregator, aggregations=config)
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))
    together = threading.Barrier(2)

    def meet(number: int) -> None:
        if number == 0:
            together.wait(PATIENCE_SECONDS)

    at_row(meet)
    progress: list[tuple[int, int]] = []
    assert pipeline.update(list(config), progress=lambda *now: progress.append(now)).is_complete
    assert progress == [(1, 2), (2, 2)]


def test_aggregations_that_set_the_same_flags_do_not_keep_each_other_out(make: Make) -> None:
    """With the sliding rule they are done one after the other, which a tick need not wait for."""
    names = ["a-agg", "b-agg"]
    sliding = {"double_click_rule": "sliding", "double_click_window": 30}
    pipeline = make(threads=2, aggregations={name: {} for name in names}, **sliding)
    days = [f"2017-01-0{day}T10:00:00Z" for day in range(1, 6)]
    take(pipeline, visits(*[(day, "a") for day in days], unique_id="a", visitor_id="v"))
    assert pipeline.update(names, hand_over=lambda *_: None).is_complete


def test_the_progress_of_a_reset_knows_all_aggregations_from_the_start(make: Make) -> None:
    """Else it would be complete at the end of each, and the time that is left wrong.

    Also of a reset that goes on, of one of a range, and of day rows.
    """
    names = ["a-agg", "b-agg", "month-agg"]
    pipeline = make(aggregations={"a-agg": {}, "b-agg": {}, "month-agg": MONTHLY})
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a"), ("2017-01-02T10:00:00Z", "a")))

    def told(*asked: str) -> list[tuple[int, int]]:
        progress: list[tuple[int, int]] = []
        pipeline.reset(names, *asked, progress=lambda *now: progress.append(now))
        return progress

    for _ in range(2):
        assert told() == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert told("2017-01-02") == [(1, 3), (2, 3), (3, 3)]


def test_what_a_killed_run_holds_is_not_done_and_is_waited_for_aloud(make: Make) -> None:
    """Progress counts it when it is, and says before how long that may take."""
    clock = ManualClock(NOON)
    pipeline = make(clock=clock)
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a"), ("2017-01-02T10:00:00Z", "a")))
    alias = pipeline.registries.aggregation("pages-agg").alias
    assert acquire(pipeline.store.state, clock, f"{alias}#g1/2017-01-01T00:00:00.000Z", 60)
    told: list[object] = []
    report = pipeline.update(
        ["pages-agg"], progress=lambda *now: told.append(now), notice=told.append
    )
    assert report.is_complete
    first, waiting, last = told
    assert (first, last) == ((1, 2), (2, 2))
    assert "waiting for 1 interval that another run holds, up to 60 s" in str(waiting)


class Unbuildable(CallingAggregator):
    """An aggregator of a host that can't be made."""

    def __init__(self, *_: object) -> None:
        raise RuntimeError("no licence")


def test_an_aggregation_that_can_not_be_made_does_not_stop_the_others(make: Make) -> None:
    """Whatever a host's class raises is the report of that aggregation."""
    pipeline = make(aggregator_class=Unbuildable)
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))
    reports = pipeline.update().aggregations
    assert "no licence" in reports["pages-agg"].error
    assert reports["access-log-agg"].is_complete
    assert "no licence" in pipeline.reset(["pages-agg"]).aggregations["pages-agg"].error


def test_a_range_that_ends_before_it_begins_is_refused(make: Make) -> None:
    """Not answered with nothing to do."""
    for job in (make().update, make().reset):
        with pytest.raises(InvalidParameter, match="is not before the end"):
            job(["pages-agg"], "2017-02-01", "2017-01-01")


class NotingWrites:
    """State that notes the kinds of the records that are written."""

    def __init__(self, state: State, kinds: list[str]) -> None:
        self._state = state
        self._kinds = kinds

    def put(self, records: Sequence[Record]) -> None:
        """Note and do it."""
        self._kinds += [record.kind for record in records]
        self._state.put(records)

    def create(self, record: Record) -> bool:
        """Note and do it."""
        self._kinds.append(record.kind)
        return self._state.create(record)

    def swap(self, records: Sequence[Record]) -> list[bool]:
        """Note and do it."""
        self._kinds += [record.kind for record in records]
        return self._state.swap(records)

    def delete(self, record: Record) -> bool:
        """Note and do it."""
        self._kinds.append(record.kind)
        return self._state.delete(record)

    def __getattr__(self, name: str) -> object:
        return getattr(self._state, name)


class NotingBulks:
    """A store that notes what is written to documents."""

    state: object

    def __init__(self, store: Store, operations: list[Operation]) -> None:
        self._store = store
        self._operations = operations

    def bulk(self, operations: Sequence[Operation]) -> list[ItemResult]:
        """Note and do it."""
        self._operations += operations
        return self._store.bulk(operations)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_an_update_with_nothing_new_writes_only_how_new_the_rows_are(make: Make) -> None:
    """No row, mark, lease or report."""
    clock = ManualClock(NOON)
    pipeline = make(clock=clock)
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))
    pipeline.update()
    kinds: list[str] = []
    operations: list[Operation] = []
    noting = NotingBulks(pipeline.store, operations)
    noting.state = NotingWrites(pipeline.store.state, kinds)
    pipeline._connections.store = noting  # type: ignore[assignment]
    assert update(pipeline) == {}
    assert (kinds, operations) == ([], [])
    clock.advance(60)
    assert update(pipeline) == {}
    assert (kinds, operations) == (["as-of"], [])
