"""Which index an event is stored in, and how indices come to be."""

from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.services.server import wait_until
from stats_pipeline.clock import ManualClock
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.indices import KIND
from tests.events.conftest import ThingPipeline
from tests.support import stored_documents

FEBRUARY = ManualClock(datetime(2017, 2, 3, tzinfo=UTC))


def indices_of(pipeline: Pipeline, *events: Any) -> list[str]:
    """Process these events and return the ends of the names of the indices they are in."""
    pipeline.publish("thing", [e if isinstance(e, dict) else {"timestamp": e} for e in events])
    assert pipeline.process_events().indexed == len(events)
    alias = pipeline.registries.event_type("thing").alias
    return [document.index.removeprefix(alias) for document in stored_documents(pipeline, "thing")]


@pytest.mark.parametrize(
    ("interval", "ends"),
    [
        ("day", ["-2016-01-03", "-2016-12-18", "-2017-01-01"]),
        ("week", ["-2015-w53", "-2016-w50", "-2016-w52"]),
        ("month", ["-2016-01", "-2016-12", "-2017-01"]),
        ("quarter", ["-2016-q1", "-2016-q4", "-2017-q1"]),
        ("year", ["-2016", "-2016", "-2017"]),
    ],
)
def test_A004_34_35_B6_indices_are_cut_by_the_settable_interval_and_the_alias_shows_all(
    thing_pipeline: ThingPipeline, interval: str, ends: list[str]
) -> None:
    """Weeks are ISO weeks, which have a year of their own."""
    pipeline = thing_pipeline(index_interval=interval)
    assert indices_of(pipeline, "2016-01-03", "2016-12-18", "2017-01-01") == ends


def test_A004_36_a_late_event_goes_to_the_index_of_its_own_time(
    thing_pipeline: ThingPipeline,
) -> None:
    """Processing in February stores an event of December in December."""
    pipeline = thing_pipeline(clock=FEBRUARY)
    assert indices_of(pipeline, {}, "2016-12-18T10:00:00") == ["-2016-12", "-2017-02"]


def test_W13_the_time_in_utc_says_which_index(thing_pipeline: ThingPipeline) -> None:
    """23:30 on 31 October, five hours west of Greenwich, is November."""
    ends = indices_of(thing_pipeline(), "2016-10-31T23:30:00-05:00", "2016-11-30T23:59:59.999Z")
    assert ends == ["-2016-11", "-2016-11"]


def test_each_index_is_recorded_with_its_uuid_when_it_is_made(
    thing_pipeline: ThingPipeline,
) -> None:
    """Two workers that meet a new period end with one index and one record."""
    for _ in range(2):
        indices_of(pipeline := thing_pipeline(), "2016-12-18T10:00:00")
    alias = pipeline.registries.event_type("thing").alias
    (record,) = pipeline.store.state.find(KIND, group=alias)
    assert record.key == f"{alias}-2016-12"
    assert pipeline.store.index_uuids([record.key]) == {record.key: record.body["uuid"]}


def test_a_deleted_index_is_an_operators_fault_and_costs_no_event(
    thing_pipeline: ThingPipeline,
) -> None:
    """It is not made again by a write, since its loss would then go unnoticed."""
    pipeline = thing_pipeline()
    indices_of(pipeline, "2016-12-18")
    alias = pipeline.registries.event_type("thing").alias
    pipeline.store.delete_indices([f"{alias}-2016-12"])
    pipeline.publish("thing", [{"timestamp": "2016-12-19"}])
    report = pipeline.process_events()
    assert report.taken == 0
    error = report.types["thing"].error
    assert f"The index {alias}-2016-12 is gone" in error
    assert f"stats events acknowledge-loss {alias}-2016-12" in error
    queue_name = pipeline.registries.event_type("thing").queue_name
    # RabbitMQ counts what was given back a moment later.
    wait_until(lambda: pipeline.queue.depth(queue_name) == 1, timeout_seconds=10)
    assert pipeline.store.index_uuids([f"{alias}-2016-12"]) == {}


def test_B29_the_prefix_stands_before_alias_indices_and_queue(
    thing_pipeline: ThingPipeline, index_prefix: str
) -> None:
    """Two installations share their servers without seeing each other."""
    pipelines = [
        thing_pipeline(settings={"STATS_INDEX_PREFIX": f"{index_prefix}{name}-"})
        for name in ("a", "b")
    ]
    pipelines[0].publish("thing", [{"timestamp": "2016-12-18"}])
    assert pipelines[1].process_events().taken == 0, "what waits is the other one's"
    assert pipelines[0].process_events().indexed == 1
    assert indices_of(pipelines[1], "2016-12-19", "2017-01-01") == ["-2016-12", "-2017-01"]
    (document,) = stored_documents(pipelines[0], "thing")
    assert document.index == f"{index_prefix}a-events-stats-thing-2016-12"
