"""Retention of events: what is closed, sealed and deleted, and that rows stay through all of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from stats_pipeline.clock import ManualClock, parse_time
from stats_pipeline.errors import DefinitionError, InvalidParameter, StatsError, StoreUnavailable
from stats_pipeline.metrics import Mean, Sum, Unique
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.reports import Due, RetentionReport
from stats_pipeline.stores import marks
from tests.aggregations.conftest import Make
from tests.aggregations.host import rows, table, take, update, visits
from tests.support import stored_events

HOUR_SECONDS = 3_600
DAY_SECONDS = 24 * HOUR_SECONDS

#: With 31 days, 2017-03-15 closes what is before February.
MARCH = parse_time("2017-03-15T12:00:00Z")
MONTHS = visits(
    ("2017-01-10T10:00:00Z", "a"),
    ("2017-01-31T23:30:00Z", "a"),
    ("2017-02-10T10:00:00Z", "a"),
    ("2017-03-10T10:00:00Z", "b"),
)


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands in the middle of March."""
    return ManualClock(MARCH)


def event_indices(pipeline: Pipeline) -> list[str]:
    """Return the ends of the names of the event indices that there are."""
    alias = pipeline.registries.event_type("visit").alias
    names = [f"{alias}-2017-{month:02d}" for month in range(1, 13)]
    return sorted(name[-2:] for name in pipeline.store.index_uuids(names))


def retain(pipeline: Pipeline, clock: ManualClock) -> RetentionReport:
    """Close, wait, seal and delete; return what the last run did."""
    pipeline.apply_retention()
    clock.advance(HOUR_SECONDS)
    report = pipeline.apply_retention()
    assert not report.errors
    return report


def mark_hours(pipeline: Pipeline) -> list[datetime | None]:
    """Return the hours that have marks."""
    alias = pipeline.registries.event_type("visit").alias
    return [mark.time for mark in pipeline.store.state.find(marks.KIND, group=alias)]


def test_events_go_an_hour_after_their_time_was_closed_and_rows_stay(
    make: Make, clock: ManualClock
) -> None:
    """Whole indices, with their marks; a dry run says the same and changes nothing."""
    pipeline = make(clock=clock, retention_days=31)
    take(pipeline, MONTHS)
    update(pipeline)
    before = table(pipeline)
    first = pipeline.apply_retention()
    assert first.closing_before == {"visit": "2017-02-01T00:00:00.000Z"}
    assert (first.events, first.sealed_before) == ({}, {})
    assert list(first.due.values()) == [Due(events=2, earliest="2017-03-15T13:00:00.000Z")]
    assert first.kept == {}
    clock.advance(HOUR_SECONDS - 1)
    assert not pipeline.apply_retention().events
    clock.advance(1)
    dry = pipeline.apply_retention(dry_run=True)
    assert event_indices(pipeline) == ["01", "02", "03"]
    done = pipeline.apply_retention()
    assert list(done.events.values()) == [2]
    assert (dry.events, dry.sealed_before) == (done.events, done.sealed_before)
    assert done.sealed_before == {"visit": "2017-02-01T00:00:00.000Z"}
    assert event_indices(pipeline) == ["02", "03"]
    assert len(mark_hours(pipeline)) == 2
    assert update(pipeline) == {}
    assert table(pipeline) == before
    assert not pipeline.apply_retention().events


def test_a_late_event_of_closed_time_is_a_dead_letter(make: Make, clock: ManualClock) -> None:
    """Also by a worker that read a few seconds ago what was closed then; and it says why."""
    pipeline = make(clock=clock, retention_days=31)
    take(pipeline, MONTHS)
    pipeline.apply_retention()
    take(pipeline, visits(("2017-01-11T10:00:00Z", "known too late to this worker")))
    clock.advance(6)
    pipeline.publish("visit", visits(("2017-01-12T10:00:00Z", "c"), ("2017-02-01T00:00:00Z", "c")))
    report = pipeline.process_events()
    assert (report.indexed, report.dead) == (1, 1)
    (letter,) = pipeline.dead_letters.list()
    assert (letter.kind, letter.stage) == ("too_late", "sealed")
    assert "2017-02-01T00:00:00.000Z" in letter.error
    clock.advance(HOUR_SECONDS)
    kept = pipeline.apply_retention()
    assert "has not counted" in next(iter(kept.kept.values()))
    assert kept.sealed_before == {"visit": "2017-01-01T00:00:00.000Z"}
    update(pipeline)
    assert table(pipeline)["2017-01-11", "known too late to this worker"] == 1
    assert list(pipeline.apply_retention().events.values()) == [3]


def test_what_one_aggregation_has_not_counted_stays(make: Make, clock: ManualClock) -> None:
    """Every aggregation of the event type must have counted it; what is older may go."""
    both: dict[str, Any] = {"pages-agg": {}, "hours-agg": {"aggregation_interval": "hour"}}
    pipeline = make(clock=clock, retention_days=31, aggregations=both)
    take(pipeline, MONTHS)
    update(pipeline)
    report = retain(pipeline, clock)
    assert not report.events
    assert "hours-agg" in next(iter(report.kept.values()))
    update(pipeline, "hours-agg", end="2017-01-20")
    assert not pipeline.apply_retention().events
    update(pipeline, "hours-agg")
    assert list(pipeline.apply_retention().events.values()) == [2]


def test_an_unsealed_row_keeps_the_events_that_it_needs(make: Make, clock: ManualClock) -> None:
    """A week, or a day of another zone, may reach over the bound; a long row of days does not."""
    aggregations: dict[str, Any] = {
        "weeks-agg": {"aggregation_interval": "week", "metrics": {"pages": Unique("page")}},
        "years-agg": {"aggregation_interval": "year", "index_interval": "year"},
    }
    pipeline = make(clock=clock, retention_days=31, aggregations=aggregations)
    take(pipeline, MONTHS)
    for name in aggregations:
        update(pipeline, name)
    foretold = pipeline.apply_retention(dry_run=True)
    report = retain(pipeline, clock)
    assert (foretold.due, foretold.kept) == ({}, report.kept)
    assert (report.events, event_indices(pipeline)) == ({}, ["01", "02", "03"])
    assert "2017-01-30T00:00:00.000Z" in next(iter(report.kept.values()))
    take(pipeline, visits(("2017-02-02T10:00:00Z", "b")))
    update(pipeline, "weeks-agg")
    assert table(pipeline, "weeks-agg", "pages")["2017-01-30", "a"] == 1
    update(pipeline, "years-agg")
    clock.advance(31 * DAY_SECONDS)
    report = retain(pipeline, clock)
    assert list(report.events.values()) == [2]
    take(pipeline, visits(("2017-04-02T10:00:00Z", "a")))
    update(pipeline, "years-agg")
    assert table(pipeline, "years-agg") == {("2017-01-01", "a"): 4, ("2017-01-01", "b"): 2}


@pytest.mark.parametrize("interval", ["day", "year", "all"])
def test_a_reset_takes_over_what_it_can_not_compute(
    make: Make, clock: ManualClock, interval: str
) -> None:
    """Sealed rows and day rows, unchanged, also where no event is left; the rest is computed."""
    config = {
        "aggregation_interval": interval,
        "index_interval": "year",
        "metrics": {"volume": Sum("size")},
    }
    pipeline = make(clock=clock, retention_days=31, aggregations={"pages-agg": config})
    take(pipeline, [{**event, "size": 10} for event in MONTHS])
    update(pipeline)
    before = rows(pipeline)
    retain(pipeline, clock)
    report = pipeline.reset(["pages-agg"])
    assert report.is_complete, report
    each = report.aggregations["pages-agg"]
    assert each.sealed_before == "2017-02-01T00:00:00.000Z"
    assert rows(pipeline) == before
    # What was taken over is neither created nor deleted.
    assert each.deleted == each.created == sum(row["end"] > each.sealed_before for row in before)
    clock.advance(90 * DAY_SECONDS)
    assert len(retain(pipeline, clock).events) == 2
    assert (mark_hours(pipeline), event_indices(pipeline)) == ([], [])
    assert pipeline.reset(["pages-agg"]).is_complete
    assert rows(pipeline) == before
    take(pipeline, visits(("2017-06-01T10:00:00Z", "a"), size=10))
    update(pipeline)
    assert sum(row["volume"] for row in rows(pipeline)) == 50


def test_a_reset_of_a_range_leaves_sealed_rows_alone_and_says_so(
    make: Make, clock: ManualClock
) -> None:
    """The part that is not sealed is computed anew."""
    pipeline = make(clock=clock, retention_days=31)
    take(pipeline, MONTHS)
    update(pipeline)
    retain(pipeline, clock)
    before = table(pipeline)
    report = pipeline.reset(["pages-agg"], "2017-01-01", "2017-02-28")
    assert report.is_complete
    each = report.aggregations["pages-agg"]
    assert (each.intervals, each.sealed_before) == (1, "2017-02-01T00:00:00.000Z")
    assert table(pipeline) == before
    assert pipeline.reset(["pages-agg"], "2017-02-01").aggregations["pages-agg"].intervals == 2


def test_rows_of_another_kind_never_come_beside_those_that_stay(
    make: Make, clock: ManualClock
) -> None:
    """A month beside days of the same month would count them twice."""
    pipeline = make(clock=clock, retention_days=31)
    take(pipeline, MONTHS)
    update(pipeline)
    retain(pipeline, clock)
    monthly = {"pages-agg": {"aggregation_interval": "month"}}
    changed = make(clock=clock, retention_days=31, aggregations=monthly)
    report = changed.reset(["pages-agg"])
    assert "under a new name" in report.aggregations["pages-agg"].error
    kept = changed.apply_retention()
    assert "stats reset pages-agg" in kept.errors["visit"]
    assert pipeline.reset(["pages-agg"]).is_complete


def test_a_new_aggregation_begins_where_events_begin(make: Make, clock: ManualClock) -> None:
    """It has no row of sealed time, and none that would be made of a part of its events."""
    pipeline = make(clock=clock, retention_days=31)
    take(pipeline, MONTHS)
    update(pipeline)
    retain(pipeline, clock)
    new: dict[str, Any] = {
        "pages-agg": {},
        "weeks-agg": {"aggregation_interval": "week", "metrics": {"size": Mean("size")}},
    }
    later = make(clock=clock, retention_days=31, aggregations=new)
    take(later, visits(("2017-02-02T10:00:00Z", "b")))
    update(later, "weeks-agg")
    assert [row["start"][:10] for row in rows(later, "weeks-agg")] == ["2017-02-06", "2017-03-06"]


def test_the_balance_closes_without_the_events_that_are_deleted(
    make: Make, clock: ManualClock
) -> None:
    """Their hours are left out on both sides; entries of publishers that are over go as well."""
    pipeline = make(clock=clock, retention_days=31)
    take(pipeline, MONTHS[:2])
    pipeline.close()
    pipeline = make(clock=clock, retention_days=31)
    take(pipeline, MONTHS[2:])
    update(pipeline)
    retain(pipeline, clock)
    balance = pipeline.balance(["visit"]).types["visit"]
    assert balance.since == "2017-02-01T00:00:00.000Z"
    assert (balance.accepted, balance.stored, balance.duplicates) == (2, 2, 0)
    assert balance.is_closed
    clock.advance(31 * DAY_SECONDS)
    assert pipeline.apply_retention().ledger == {"visit": 1}
    assert pipeline.balance(["visit"]).types["visit"] == balance
    assert retain(pipeline, clock).ledger == {}
    balance = pipeline.balance(["visit"]).types["visit"]
    assert (balance.accepted, balance.stored, balance.is_closed) == (1, 1, True)


def test_an_acknowledged_loss_lets_the_event_type_go_on(make: Make, clock: ManualClock) -> None:
    """Rows of its time stay, through a reset too; what still comes for it is a dead letter."""
    pipeline = make(clock=clock)
    take(pipeline, MONTHS)
    update(pipeline)
    before = table(pipeline)
    alias = pipeline.registries.event_type("visit").alias
    with pytest.raises(InvalidParameter, match="it is there"):
        pipeline.acknowledge_loss(f"{alias}-2017-01")
    with pytest.raises(InvalidParameter, match="2017-01"):
        pipeline.acknowledge_loss(f"{alias}-2017-1")
    pipeline.store.delete_indices([f"{alias}-2017-01"])
    late = visits(("2017-01-10T10:00:00Z", "late"), ("2017-02-10T10:00:00Z", "late"))
    pipeline.publish("visit", late)
    assert pipeline.process_events().error
    assert "acknowledge-loss" in pipeline.reset(["pages-agg"]).aggregations["pages-agg"].error
    for _ in range(2):
        report = pipeline.acknowledge_loss(f"{alias}-2017-01")
    assert (report.start, report.end) == ("2017-01-01T00:00:00.000Z", "2017-02-01T00:00:00.000Z")
    clock.advance(6)
    processed = pipeline.process_events()
    # The one of February was stored at the first try already.
    assert (processed.error, processed.duplicates, processed.dead) == ("", 1, 1)
    assert pipeline.dead_letters.list()[0].kind == "too_late"
    update(pipeline)
    after = {**before, ("2017-02-10", "late"): 1}
    assert table(pipeline) == after
    assert pipeline.reset(["pages-agg"]).is_complete
    assert table(pipeline) == after


@pytest.mark.parametrize(
    ("config", "days", "is_allowed"),
    [
        ({"aggregation_interval": "month", "metrics": {"n": Unique("page")}}, 30, False),
        ({"aggregation_interval": "month", "metrics": {"n": Unique("page")}}, 31, True),
        ({"aggregation_interval": "all", "metrics": {"n": Mean("size")}}, 900, False),
        ({"aggregation_interval": "all", "metrics": {"n": Sum("size")}}, 1, True),
    ],
)
def test_retention_covers_the_longest_interval_that_needs_its_events(
    make: Make, config: dict[str, Any], days: int, *, is_allowed: bool
) -> None:
    """Also where the host only changes the retention; the error says what is allowed."""
    pipeline = make(retention_days=days, aggregations={"pages-agg": config})
    if is_allowed:
        pipeline.registries.check_overrides()
        return
    with pytest.raises(DefinitionError, match="retention_days") as caught:
        pipeline.registries.check_overrides()
    assert "pages-agg" in str(caught.value)


@pytest.mark.parametrize("wrong", [0, 1.5, "30", True, 10**9])
def test_retention_is_a_whole_number_of_days(make: Make, wrong: object) -> None:
    """From one day to a hundred years."""
    with pytest.raises(DefinitionError, match="retention_days"):
        make(retention_days=wrong).registries.check_overrides()


class Failing:
    """Wrap a store so that the n-th call that changes something fails, before or after it."""

    CHANGES = frozenset({"bulk", "put", "create", "swap", "delete", "delete_indices"})

    def __init__(self, wrapped: Any, calls: list[int], *, is_done: bool) -> None:
        self._wrapped, self._calls, self._is_done = wrapped, calls, is_done
        if hasattr(wrapped, "state"):
            self.state = Failing(wrapped.state, calls, is_done=is_done)

    def __getattr__(self, name: str) -> Any:
        """Return the method of what is wrapped."""
        method = getattr(self._wrapped, name)
        if name not in self.CHANGES:
            return method

        def call(*arguments: Any, **options: Any) -> Any:
            self._calls[0] -= 1
            if self._calls[0] == 0 and not self._is_done:
                raise StoreUnavailable("cut")
            result = method(*arguments, **options)
            if self._calls[0] == 0:
                raise StoreUnavailable("cut")
            return result

        return call


@pytest.mark.slow
@pytest.mark.parametrize("is_done", [False, True])
def test_retention_that_dies_anywhere_is_simply_run_again(
    make: Make, clock: ManualClock, *, is_done: bool
) -> None:
    """No row is lost, no index goes that is needed; at the end it is as if it had never died."""
    aggregations: dict[str, Any] = {"pages-agg": {}, "years-agg": {"aggregation_interval": "year"}}
    aggregations["years-agg"]["index_interval"] = "year"
    options: dict[str, Any] = {
        "retention_days": 31,
        "aggregations": aggregations,
        "lease_seconds": 1,
    }
    pipeline = make(clock=clock, **options)
    take(pipeline, MONTHS)
    for name in aggregations:
        update(pipeline, name)
    before = [rows(pipeline, name) for name in aggregations]
    pipeline.apply_retention()
    clock.advance(HOUR_SECONDS)
    number, calls = 0, [0]
    dying = make(clock=clock, **options)
    dying._connections.store = Failing(pipeline.store, calls, is_done=is_done)  # type: ignore[assignment]
    # A round takes seconds on servers, so there some calls stand for their neighbours.
    step = 1 if pipeline.store_url.startswith("sqlite:") else 23
    while True:
        number += step
        calls[0] = number
        with suppress(StatsError):
            dying.apply_retention()
            dying.reset()
        for name in aggregations:
            assert pipeline.update([name]).is_complete
        assert [rows(pipeline, name) for name in aggregations] == before
        assert event_indices(pipeline)[-2:] == ["02", "03"]
        if calls[0] > 0:
            break
    # An interval whose run did not say how it ended is looked at again a day later.
    clock.advance(2 * DAY_SECONDS)
    assert pipeline.reset().is_complete
    assert [rows(pipeline, name) for name in aggregations] == before
    assert event_indices(pipeline) == ["02", "03"]
    assert len(stored_events(pipeline, "visit")) == 2
    assert len(mark_hours(pipeline)) == 2
