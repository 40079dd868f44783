"""Losses that somebody has acknowledged: what is gone stays as it was, and all else goes on."""

from __future__ import annotations

from typing import Any

import pytest

from stats_pipeline.clock import ManualClock, parse_time
from stats_pipeline.intervals import Period
from stats_pipeline.metrics import First, Sum, Unique
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.indices import EventIndices
from tests.aggregations.conftest import Make
from tests.aggregations.host import rows, table, take, update, visits

MARCH = parse_time("2017-03-15T12:00:00Z")
EVENTS = visits(
    ("2017-01-10T10:00:00Z", "a"),
    # In Zurich this is the first hour of February, and the Monday of its week is the 30th.
    ("2017-01-31T23:30:00Z", "a"),
    ("2017-02-01T10:00:00Z", "a"),
    size=10,
)
UNIQUE = {"pages": Unique("page")}

#: Aggregation -> its configuration; its rows before the loss, and after one more event of February.
CASES: dict[str, tuple[dict[str, Any], dict[Any, int], dict[Any, int]]] = {
    # The day that reaches into January has lost half an hour.
    "days of a zone": (
        {"time_zone": "Europe/Zurich"},
        {("2017-01-09T23:00", "a"): 1, ("2017-01-31T23:00", "a"): 2},
        {("2017-01-09T23:00", "a"): 1, ("2017-01-31T23:00", "a"): 2},
    ),
    "weeks from events": (
        {"aggregation_interval": "week", "metrics": UNIQUE},
        {("2017-01-09", "a"): 1, ("2017-01-30", "a"): 2},
        {("2017-01-09", "a"): 1, ("2017-01-30", "a"): 2},
    ),
    "weeks from days": (
        {"aggregation_interval": "week"},
        {("2017-01-09", "a"): 1, ("2017-01-30", "a"): 2},
        {("2017-01-09", "a"): 1, ("2017-01-30", "a"): 3},
    ),
    "all time from events": (
        {"aggregation_interval": "all", "metrics": {"first": First("size")}},
        {("1970-01-01", "a"): 3},
        {("1970-01-01", "a"): 2},
    ),
    "all time from days": (
        {"aggregation_interval": "all", "metrics": {"volume": Sum("size")}},
        {("1970-01-01", "a"): 3},
        {("1970-01-01", "a"): 4},
    ),
}


def lose_january(pipeline: Pipeline) -> Any:
    """Delete the index by hand, acknowledge that, and return the report."""
    alias = pipeline.registries.event_type("visit").alias
    pipeline.store.delete_indices([f"{alias}-2017-01"])
    return pipeline.acknowledge_loss(f"{alias}-2017-01")


@pytest.mark.parametrize("case", CASES)
def test_an_interval_of_which_a_part_is_lost_goes_on(make: Make, case: str) -> None:
    """It is computed from what is left, where it doesn't follow from days; new events count."""
    config, before, after = CASES[case]
    clock = ManualClock(MARCH)
    pipeline = make(clock=clock, aggregations={"pages-agg": config})
    take(pipeline, EVENTS)
    update(pipeline)
    assert table(pipeline) == before
    report = lose_january(pipeline)
    has_shrunk = before == after or sum(after.values()) < sum(before.values())
    assert list(report.shrunk) == (["pages-agg"] if has_shrunk else [])
    clock.advance(6)
    take(pipeline, visits(("2017-02-01T11:00:00Z", "a"), size=10))
    update(pipeline)
    assert table(pipeline) == after
    found = rows(pipeline)
    assert pipeline.reset(["pages-agg"]).is_complete
    assert rows(pipeline) == found
    assert update(pipeline) == {}


def test_what_is_left_counts_at_once_and_not_when_the_next_event_comes(make: Make) -> None:
    """So the loss is seen when it is acknowledged, and a reset later on changes nothing."""
    clock = ManualClock(MARCH)
    weekly = {"aggregation_interval": "week", "metrics": UNIQUE}
    pipeline = make(clock=clock, aggregations={"pages-agg": weekly})
    take(pipeline, [*EVENTS, *visits(("2017-01-31T10:00:00Z", "only in January"))])
    update(pipeline)
    report = lose_january(pipeline)
    # The weeks at both ends of January, whether they had anything or not.
    edges = ["2016-12-26T00:00:00.000Z", "2017-01-30T00:00:00.000Z"]
    assert report.shrunk == {"pages-agg": edges}
    assert update(pipeline) == {"updated": 1, "deleted": 1}
    assert table(pipeline) == {("2017-01-09", "a"): 1, ("2017-01-30", "a"): 1}
    assert pipeline.reset(["pages-agg"]).is_complete
    assert table(pipeline) == {("2017-01-09", "a"): 1, ("2017-01-30", "a"): 1}


def test_months_that_are_lost_side_by_side_are_one_loss(make: Make) -> None:
    """A week that lies in both is lost as a whole, and its rows stay."""
    clock = ManualClock(MARCH)
    weekly = {"aggregation_interval": "week", "metrics": UNIQUE}
    pipeline = make(clock=clock, aggregations={"pages-agg": weekly})
    take(pipeline, [*EVENTS, *visits(("2017-03-10T10:00:00Z", "a"))])
    update(pipeline)
    before = table(pipeline)
    alias = pipeline.registries.event_type("visit").alias
    names = [f"{alias}-2017-02", f"{alias}-2017-01"]
    pipeline.store.delete_indices(names)
    for name in names:
        report = pipeline.acknowledge_loss(name)
    # The first of January was a Sunday, so the weeks at the end reach out of the loss.
    assert report.shrunk == {"pages-agg": ["2016-12-26T00:00:00.000Z"]}
    update(pipeline)
    assert table(pipeline) == before
    assert pipeline.reset(["pages-agg"]).is_complete
    assert table(pipeline) == before


def test_a_loss_that_is_acknowledged_while_its_interval_is_computed_empties_no_row(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two looks for what is gone and for what is there, it looks like no events."""
    pipeline = make(clock=ManualClock(MARCH))
    take(pipeline, visits(("2017-01-10T10:00:00Z", "a")))
    update(pipeline)
    take(pipeline, visits(("2017-01-10T11:00:00Z", "a")))
    look = EventIndices.gone

    def lose_after_looking(indices: EventIndices, period: Period) -> dict[str, str]:
        found = look(indices, period)
        monkeypatch.setattr(EventIndices, "gone", look)
        lose_january(pipeline)
        return found

    monkeypatch.setattr(EventIndices, "gone", lose_after_looking)
    report = pipeline.update(["pages-agg"]).aggregations["pages-agg"]
    assert "has just been deleted" in report.error
    assert report.pending
    assert table(pipeline) == {("2017-01-10", "a"): 1}
    assert update(pipeline) == {}
    assert table(pipeline) == {("2017-01-10", "a"): 1}
