"""Corrections: the same event again with a higher revision, in any order of arrival."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats_pipeline.pipeline import Pipeline
from tests.events.conftest import ThingPipeline
from tests.support import BROWSER, Backend, MakePipeline, stored_events

EVENT = {"event_id": "e1", "timestamp": "2016-12-18T10:00:00.000Z"}
CLICK = {"user_id": "u1", "user_agent": BROWSER, "bucket_id": "20", "file_id": "f-1"}


def process(pipeline: Pipeline, name: str, *events: dict[str, Any]) -> list[tuple[int, int]]:
    """Process each event on its own; return how many were indexed and duplicates each time."""
    counts = []
    for event in events:
        pipeline.publish(name, [{**EVENT, **event}])
        report = pipeline.process_events()
        counts.append((report.indexed, report.duplicates))
    return counts


def test_a_correction_replaces_the_event_and_an_older_one_changes_nothing(
    thing_pipeline: ThingPipeline,
) -> None:
    """Revision 2 stays although revision 1 and the event itself come after it."""
    pipeline = thing_pipeline()
    values = [{"value": 1}, {"value": 3, "revision": 2}, {"value": 2, "revision": 1}, {"value": 1}]
    assert process(pipeline, "thing", *values) == [(1, 0), (1, 0), (0, 1), (0, 1)]
    (stored,) = stored_events(pipeline, "thing")
    assert (stored["value"], stored["revision"]) == (3, 2)


@settings(
    max_examples=24, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations([0, 1, 2, 255]))
def test_the_highest_revision_wins_in_any_order(
    embedded_pipeline: ThingPipeline, index_prefix: str, order: list[int]
) -> None:
    """Within a bulk and across bulks."""
    name = "-".join(map(str, order))
    pipeline = embedded_pipeline(settings={"STATS_INDEX_PREFIX": f"{index_prefix}{name}-"})
    events = [{**EVENT, "revision": revision, "value": revision} for revision in order]
    pipeline.publish("thing", events[:2])
    pipeline.process_events()
    pipeline.publish("thing", events[2:])
    pipeline.process_events()
    assert [event["value"] for event in stored_events(pipeline, "thing")] == [255]


def test_another_time_is_another_event(thing_pipeline: ThingPipeline) -> None:
    """Identity is `event_id` and `timestamp`, so that an index can be found by time alone."""
    pipeline = thing_pipeline()
    later = {"timestamp": "2016-12-18T10:00:00.001Z", "revision": 1}
    assert process(pipeline, "thing", {}, later) == [(1, 0), (1, 0)]


def test_a_withdrawal_is_a_correction(thing_pipeline: ThingPipeline) -> None:
    """The document stays and says that it is withdrawn."""
    pipeline = thing_pipeline()
    process(pipeline, "thing", {"value": 1}, {"withdrawn": True, "revision": 1})
    (stored,) = stored_events(pipeline, "thing")
    assert stored["withdrawn"] is True


@pytest.mark.parametrize("later_first", [False, True])
def test_in_a_fixed_window_a_correction_acts_on_the_click_that_was_kept(
    backend: Backend, make_pipeline: MakePipeline, *, later_first: bool
) -> None:
    """One of an earlier click of the window changes nothing, whatever its revision."""
    pipeline = make_pipeline(backend)
    kept = {**CLICK, "event_id": "e2", "timestamp": "2016-12-18T10:00:05.000Z"}
    first = {**CLICK, "size": 1}
    events = [first, {**kept, "size": 2}]
    process(pipeline, "file-download", *(reversed(events) if later_first else events))
    process(
        pipeline,
        "file-download",
        {**kept, "size": 3, "revision": 1},
        {**first, "size": 9, "revision": 7},
    )
    (stored,) = stored_events(pipeline)
    assert (stored["event_id"], stored["size"], stored["revision"]) == ("e2", 3, 1)


@pytest.mark.parametrize("changed", [{"file_id": "f-2"}, {"user_id": "u2"}])
def test_in_a_fixed_window_another_visitor_or_item_is_another_click(
    backend: Backend, make_pipeline: MakePipeline, changed: dict[str, Any]
) -> None:
    """It counts beside the first, which no worker looks for; withdraw that one, to count once."""
    pipeline = make_pipeline(backend)

    def total() -> float:
        assert pipeline.update(["file-download-agg"]).is_complete
        found: float = pipeline.query("bucket-file-download-total", bucket_id="20")["value"]
        return found

    process(pipeline, "file-download", CLICK, {**CLICK, **changed, "revision": 1})
    assert total() == 2
    process(pipeline, "file-download", {**CLICK, "revision": 2, "withdrawn": True})
    assert total() == 1
    later = {**CLICK, "timestamp": "2016-12-18T12:00:00.000Z"}
    withdrawn: dict[str, Any] = {**later, "revision": 1, "withdrawn": True}
    anew: dict[str, Any] = {**later, **changed, "revision": 2}
    assert process(pipeline, "file-download", later, withdrawn, anew) == [(1, 0)] * 3
    assert total() == 2
    kept = [each for each in stored_events(pipeline) if not each.get("withdrawn")]
    assert len({(each["unique_id"], each["visitor_id"]) for each in kept}) == 1
