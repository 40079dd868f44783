"""Long intervals are put together from the rows of their days, and are as exact as from events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats_pipeline import StatAggregator
from stats_pipeline.clock import ManualClock, format_time
from stats_pipeline.errors import DefinitionError, StoreUnavailable
from stats_pipeline.metrics import Count, Max, Min, Sum
from stats_pipeline.model import Where
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.protocol import ItemResult, Operation, Store
from tests.aggregations.conftest import Make
from tests.aggregations.host import NOON, rows, table, take, update, visits

METRICS = {
    "volume": Sum("size"),
    "smallest": Min("size"),
    "largest": Max("score"),
    "kinds": Count(where=Where("kind", include=["a"])),
    "first_seen": Min("timestamp"),
    "last_b_seen": Max("timestamp", where=Where("kind", include=["b"])),
}
LONG = {"metrics": METRICS, "copy_fields": {"last_kind": "kind"}, "index_interval": "year"}


class FromEvents(StatAggregator):
    """Compute the same from the events; a class of the host's own never uses day rows."""


def long(interval: str, **more: Any) -> dict[str, Any]:
    """Return the configuration of an aggregation of long intervals."""
    return {"aggregation_interval": interval, **LONG, **more}


def test_an_update_of_a_year_reads_only_the_days_that_are_dirty(make: Make) -> None:
    """The events of all the others are not needed, and may be gone."""
    pipeline = make(aggregations={"pages-agg": long("year")})
    take(pipeline, visits(("2016-03-01T10:00:00Z", "a"), ("2016-04-01T10:00:00Z", "b"), size=10))
    assert update(pipeline) == {"created": 2}
    prefix = pipeline.settings["STATS_INDEX_PREFIX"]
    pipeline.store.delete_indices([f"{prefix}events-stats-visit-2016-03"])
    take(pipeline, visits(("2016-04-01T11:00:00Z", "a"), ("2016-05-01T11:00:00Z", "c"), size=5))
    assert update(pipeline) == {"created": 1, "updated": 1, "unchanged": 1}
    assert table(pipeline, field="volume") == {
        ("2016-01-01", "a"): 15,
        ("2016-01-01", "b"): 10,
        ("2016-01-01", "c"): 5,
    }


def test_readers_never_see_day_rows(make: Make) -> None:
    """They lie in indices of their own, which go with their generation."""
    pipeline = make(aggregations={"pages-agg": long("month")})
    take(pipeline, visits(("2016-03-01T10:00:00Z", "a"), ("2016-03-02T10:00:00Z", "a")))
    update(pipeline)
    assert [row["count"] for row in rows(pipeline)] == [2]
    alias = pipeline.registries.aggregation("pages-agg").alias
    assert pipeline.store.index_uuids([f"{alias}-2016-g1.days"])
    assert pipeline.reset(["pages-agg"]).is_complete
    assert [row["count"] for row in rows(pipeline)] == [2]
    assert not pipeline.store.index_uuids([f"{alias}-2016-g1.days"])
    assert pipeline.store.index_uuids([f"{alias}-2016-g2.days"])
    take(pipeline, visits(("2016-03-02T11:00:00Z", "a")))
    assert update(pipeline) == {"updated": 1}
    assert [row["count"] for row in rows(pipeline)] == [3]


def test_a_year_that_was_counted_from_events_needs_a_reset(make: Make) -> None:
    """There are no day rows of what was counted before: it would vanish."""
    before = make(aggregations={"pages-agg": long("year")}, aggregator_class=FromEvents)
    take(before, visits(("2016-03-01T10:00:00Z", "a")))
    update(before)
    after = make(aggregations={"pages-agg": long("year")})
    take(after, visits(("2016-04-01T10:00:00Z", "a")))
    assert "from_days" in after.update(["pages-agg"]).aggregations["pages-agg"].error
    assert table(after) == {("2016-01-01", "a"): 1}
    assert after.reset(["pages-agg"]).is_complete
    assert table(after) == {("2016-01-01", "a"): 2}


@pytest.mark.parametrize(
    ("config", "follows"),
    [
        (long("week"), True),
        (long("all"), True),
        (long("day"), False),
        (long("month", metrics={"visitors": ("unique", "page")}), False),
        (long("month", metrics={"mean": ("mean", "size")}), False),
        (long("month", metrics={"first": ("first", "kind")}), False),
    ],
)
def test_what_follows_from_days(make: Make, config: dict[str, Any], *, follows: bool) -> None:
    """Counts, sums and extremes do; what needs the events themselves does not."""
    pipeline = make(aggregations={"pages-agg": config})
    assert pipeline.registries.aggregation("pages-agg").follows_from_days is follows


def test_a_range_of_a_long_interval_is_recomputed_as_a_whole(make: Make) -> None:
    """Also where its events are withdrawn in the meantime: rows and day rows vanish."""
    pipeline = make(aggregations={"pages-agg": long("month", time_zone="Europe/Zurich")})
    event = {"event_id": "e", "timestamp": "2016-10-30T23:30:00Z", "page": "a"}
    take(pipeline, [event, *visits(("2016-10-03T10:00:00Z", "b"))])
    assert update(pipeline) == {"created": 2}
    take(pipeline, [{**event, "revision": 1, "withdrawn": True}])
    assert update(pipeline) == {"deleted": 1, "unchanged": 1}
    report = pipeline.reset(["pages-agg"], start="2016-10-15", end="2016-10-15")
    assert report.is_complete
    assert table(pipeline) == {("2016-09-30T22:00", "b"): 1}


class Failing:
    """A store that fails at its n-th bulk, before or after it is done."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fails_in = -1
        self.is_done = False

    def bulk(self, operations: Sequence[Operation]) -> list[ItemResult]:
        """Do it, or fail."""
        self.fails_in -= 1
        if self.fails_in == 0:
            if self.is_done:
                self._store.bulk(operations)
            raise StoreUnavailable("the store is away")
        return self._store.bulk(operations)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


START = datetime(2016, 12, 25, tzinfo=UTC)
EVENT = st.fixed_dictionaries(
    {
        "event_id": st.integers(0, 9).map(str),
        "hours": st.integers(0, 24 * 14),
        "page": st.sampled_from("ab"),
        "size": st.integers(-5, 5),
        "score": st.integers(0, 3),
        "kind": st.sampled_from("ab"),
        "revision": st.integers(0, 2),
        "withdrawn": st.booleans(),
    }
)
STEP = st.tuples(st.lists(EVENT, max_size=4), st.integers(0, 6), st.booleans())


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEP, min_size=1, max_size=4), st.sampled_from(["week", "month", "year", "all"]))
def test_any_history_ends_in_what_the_events_say(
    make: Make, history: list[tuple[list[dict[str, Any]], int, bool]], interval: str
) -> None:
    """Late, corrected and withdrawn events, and updates that fail at any write, in any order."""
    name = f"{interval}-{abs(hash(str(history)))}"
    days, events = f"days-{name}-agg", f"events-{name}-agg"
    pipeline = make(aggregations={days: long(interval)})
    direct = make(aggregations={events: long(interval)}, aggregator_class=FromEvents)
    failing = Failing(pipeline.store)
    pipeline._connections.store = failing  # type: ignore[assignment]
    for found, fails_in, is_done in history:
        take(pipeline, [_event(each, name) for each in found])
        failing.fails_in, failing.is_done = fails_in, is_done
        pipeline.update([days])
        failing.fails_in = -1
    assert pipeline.update([days]).is_complete
    assert direct.update([events]).is_complete
    _same(pipeline, days, direct, events)
    assert pipeline.reset([days]).is_complete
    _same(pipeline, days, direct, events)


def _event(each: dict[str, Any], name: str) -> dict[str, Any]:
    event = {key: value for key, value in each.items() if key != "hours"}
    moment = format_time(START + timedelta(hours=each["hours"]))
    return {**event, "event_id": f"{name}-{each['event_id']}", "timestamp": moment}


def _same(one: Pipeline, one_name: str, other: Pipeline, other_name: str) -> None:
    assert rows(one, one_name) == rows(other, other_name)


def test_the_clock_of_these_tests_is_after_all_of_their_events() -> None:
    """Else some would be implausible, and the histories shorter than they seem."""
    assert ManualClock(NOON).now() > START + timedelta(days=14)


def test_a_metric_called_count_is_refused(make: Make) -> None:
    """It would be what the days' rows call their number of events."""
    pipeline = make(aggregations={"pages-agg": long("year", metrics={"count": ("sum", "size")})})
    with pytest.raises(DefinitionError, match="two fields 'count'"):
        _ = pipeline.registries.aggregation("pages-agg").config
