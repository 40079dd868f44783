"""What can't change once events are stored: a later change is refused, with the way out."""

import re
from typing import Any

import pytest

from tests.events.conftest import ThingPipeline
from tests.support import stored_events


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        ({"double_click_window": 30}, {}, "double_click_window was 10 when .* and is 30 now"),
        ({"double_click_window": 0}, {}, "double_click_window was 10 .* and is 0 now"),
        ({"salt_window": "week"}, {}, "salt_window was 'day' .* and is 'week' now"),
        ({"index_interval": "year"}, {}, "index_interval was 'month' .* and is 'year' now"),
        ({}, {"STATS_EARLIEST": "2000-01-01"}, "STATS_EARLIEST was '1990-01-01T00:00:00.000Z'"),
    ],
)
def test_a_change_of_what_was_recorded_at_first_use_is_refused_with_the_way_out(
    embedded_pipeline: ThingPipeline, config: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    """The events wait in the queue and are stored when the old value is back."""
    event = {"timestamp": "2016-12-18"}
    before = embedded_pipeline()
    before.publish("thing", [event])
    assert before.process_events().indexed == 1

    changed = embedded_pipeline(settings=settings, **config)
    changed.publish("thing", [event])
    report = changed.process_events()
    assert (report.taken, report.dead) == (0, 0)
    error = report.types["thing"].error
    assert re.search(message, error), error
    assert "set it back, or register the events under a new event type" in error

    assert embedded_pipeline().process_events().indexed == 1
    assert len(stored_events(before, "thing")) == 2


def test_the_log_says_the_owner_once(
    embedded_pipeline: ThingPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """The message has it already, where it is raised for anybody who asks."""
    embedded_pipeline().process_events()
    report = embedded_pipeline(double_click_window=30).process_events()
    (record,) = caplog.records
    title = "event type 'thing' of the host's STATS_EVENTS: "
    assert record.getMessage() == f"{title}{report.types['thing'].error}"
    assert report.types["thing"].error.startswith("double_click_window was 10")


def test_what_was_not_recorded_may_change(thing_pipeline: ThingPipeline) -> None:
    """Preprocessors do: what is new then holds for new events."""
    thing_pipeline().process_events()
    pipeline = thing_pipeline(preprocessors=[lambda event: {**event, "item": "new"}])
    pipeline.publish("thing", [{"timestamp": "2016-12-18"}])
    assert pipeline.process_events().indexed == 1
    assert stored_events(pipeline, "thing")[0]["item"] == "new"


def test_what_was_recorded_holds_for_every_worker(thing_pipeline: ThingPipeline) -> None:
    """It lives in the store, so the configuration of another process is held to it as well."""
    thing_pipeline(double_click_window=60).process_events()
    error = thing_pipeline().process_events().types["thing"].error
    assert "double_click_window was 60 when it was first used and is 10 now" in error
