"""What `publish` takes, what it refuses, and what every event has when it is in the queue."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import InvalidEvent, UnknownEventType
from stats_pipeline.events.envelope import complete, new_event_id, to_json
from stats_pipeline.events.messages import Numbering, decode
from stats_pipeline.pipeline import Pipeline
from tests.events.conftest import ThingPipeline
from tests.support import Backend, MakePipeline, stored_events

NOW = datetime(2017, 1, 1, 12, 30, 45, 678_901, tzinfo=UTC)
TIME = "2016-12-18T10:00:00Z"
DEEP = json.loads('{"a": ' * 50 + "[]" + "}" * 50)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=5,
)


@pytest.fixture
def pipeline(embedded: Backend, make_pipeline: MakePipeline) -> Pipeline:
    """Give a pipeline of downloads."""
    return make_pipeline(embedded)


def waiting(pipeline: Pipeline) -> int:
    """Return how many messages wait."""
    return pipeline.queue.depth(pipeline.registries.event_type("file-download").queue_name)


def test_A004_17_only_active_event_types_can_be_published(pipeline: Pipeline) -> None:
    """An unknown name is answered with the nearest, an inactive one with why."""
    with pytest.raises(UnknownEventType, match=r"'file-downlod'; did you mean 'file-download'\?"):
        pipeline.publish("file-downlod", [{}])
    with pytest.raises(UnknownEventType, match=r"'record-view', which is registered but not act"):
        pipeline.publish("record-view", [{}])


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("text", "An event is a dict, not str"),
        (None, "An event is a dict, not NoneType"),
        ({"size": float("nan")}, "holds JSON values only"),
        ({"size": {1, 2}}, "holds JSON values only"),
        ({"size": object()}, "holds JSON values only"),
        ({"text": "x" * 1_000_000}, "has up to 1,000,000 bytes as JSON, not 1,000,1"),
        ({"extra": DEEP}, "are nested up to 50 levels deep"),
        ({"timestamp": "yesterday"}, "timestamp: 'yesterday' is not an ISO 8601 time"),
        ({"timestamp": 1482055200}, "timestamp: '1482055200' is neither ISO 8601 text nor a"),
        ({"timestamp": "0001-01-01T00:00:00+10:00"}, "timestamp: .*outside the years"),
        ({"event_id": "x"}, "own event_id or revision needs a timestamp"),
        ({"revision": 1}, "own event_id or revision needs a timestamp"),
        ({"timestamp": TIME, "event_id": ""}, "event_id is text of 1 to 200 characters"),
        ({"timestamp": TIME, "event_id": "x" * 201}, "event_id is text of 1 to 200 characters"),
        ({"timestamp": TIME, "event_id": 7}, "event_id is text of 1 to 200 characters, not 7$"),
        ({"timestamp": TIME, "revision": 256}, "a whole number from 0 to 255, not 256$"),
        ({"timestamp": TIME, "revision": "1"}, "from 0 to 255, not the text '1'$"),
        ({"timestamp": TIME, "revision": -1}, "a whole number from 0 to 255"),
        ({"timestamp": TIME, "revision": True}, "a whole number from 0 to 255"),
        ({"timestamp": TIME, "revision": 1.5}, "a whole number from 0 to 255"),
        ({"timestamp": None, "revision": 1}, "own event_id or revision needs a timestamp"),
    ],
)
def test_A004_17_one_wrong_envelope_refuses_the_whole_list(
    pipeline: Pipeline, event: Any, message: str
) -> None:
    """Nothing of the list is in the queue, so that the caller may mend it and publish again."""
    with pytest.raises(InvalidEvent, match=message):
        pipeline.publish("file-download", [{"timestamp": TIME}, event])
    assert waiting(pipeline) == 0


@pytest.mark.parametrize("events", [{"timestamp": TIME}, "text", None, 5])
def test_events_are_published_as_a_list(pipeline: Pipeline, events: Any) -> None:
    """A single event is no list, however alike a loop would treat it."""
    with pytest.raises(InvalidEvent, match="Events come as a list of dicts"):
        pipeline.publish("file-download", events)


@pytest.mark.parametrize(
    ("given_time", "stored"),
    [
        ("2016-12-18T10:00:00", "2016-12-18T10:00:00.000Z"),
        ("2016-12-18", "2016-12-18T00:00:00.000Z"),
        ("2016-12-18T10:00:00.123987+02:00", "2016-12-18T08:00:00.123Z"),
        (datetime(2016, 12, 18, 10, 0, 0, 999_999), "2016-12-18T10:00:00.999Z"),  # noqa: DTZ001
        (
            datetime(2016, 10, 31, 23, 30, tzinfo=timezone(timedelta(hours=-5))),
            "2016-11-01T04:30:00.000Z",
        ),
        (None, "2017-01-01T12:30:45.678Z"),
    ],
)
def test_B5_W13_times_become_utc_of_whole_milliseconds(given_time: Any, stored: str) -> None:
    """Naive is UTC, an offset is converted, what is finer is cut, absent is now."""
    event = {} if given_time is None else {"timestamp": given_time}
    completed = complete(event, now=NOW)
    assert completed["timestamp"] == stored
    assert completed["received_at"] == "2017-01-01T12:30:45.678Z"
    assert event.get("timestamp") == given_time, "the caller's event is left as it is"


def test_an_own_identity_is_kept_and_a_missing_one_is_made() -> None:
    """Both ends of what is allowed are allowed."""
    own = {"timestamp": TIME, "event_id": "x" * 200, "revision": 255}
    assert complete(own, now=NOW).items() >= {"event_id": "x" * 200, "revision": 255}.items()
    assert UUID(complete({}, now=NOW)["event_id"]).version == 7


def test_what_may_be_left_out_may_be_none(thing_pipeline: ThingPipeline) -> None:
    """A builder need not ask what it has; a worker reads messages of others in the same way."""
    nothing = {"timestamp": None, "event_id": None, "revision": None, "withdrawn": None}
    assert complete(nothing, now=NOW).keys() == complete({}, now=NOW).keys()
    pipeline = thing_pipeline()
    pipeline.publish("thing", [{**nothing, "value": 1}, {**nothing, "timestamp": TIME, "value": 2}])
    raw = to_json({**nothing, "timestamp": TIME, "event_id": "x", "value": 3})
    (message,) = Numbering().number("q", [raw])
    queue_name = pipeline.registries.event_type("thing").queue_name
    pipeline.queue.publish(queue_name, [message.body])
    assert pipeline.process_events().indexed == 3
    stored = stored_events(pipeline, "thing")
    assert sorted(event["value"] for event in stored) == [1, 2, 3]
    assert not any("revision" in event or "withdrawn" in event for event in stored)


@given(
    st.lists(
        st.datetimes(min_value=datetime(1990, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        min_size=2,
        unique_by=lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000),
    )
)
def test_event_ids_sort_by_time(moments: list[datetime]) -> None:
    """They are version 7 UUIDs: sorted as text, they are sorted by when they were made."""
    ids = [new_event_id(moment) for moment in sorted(moments)]
    assert ids == sorted(ids)
    assert {(UUID(each).version, UUID(each).variant) for each in ids} == {
        (7, "specified in RFC 4122")
    }


@given(st.lists(st.dictionaries(st.text(), JSON_VALUES), max_size=3))
def test_messages_give_back_the_events_that_were_put_into_them(events: list[Any]) -> None:
    """Numbered and packed, then decoded: nothing has changed."""
    messages = Numbering().number("q", map(to_json, events))
    assert [event for each in messages for event in decode(each.body).events] == events


def test_A004_18_what_is_published_while_no_worker_runs_keeps_its_time(
    thing_pipeline: ThingPipeline,
) -> None:
    """Three days later each event is stored under the time at which it happened, and was taken."""
    clock = ManualClock(NOW)
    pipeline = thing_pipeline(clock=clock)
    pipeline.publish("thing", [{"item": "a", "timestamp": TIME}, {"item": "b"}])
    pipeline.close()
    clock.advance(3 * 86_400)
    assert thing_pipeline(clock=clock).process_events().indexed == 2
    stored = [
        (e["item"], e["timestamp"], e["received_at"]) for e in stored_events(pipeline, "thing")
    ]
    now = "2017-01-01T12:30:45.678Z"
    assert stored == [("a", "2016-12-18T10:00:00.000Z", now), ("b", now, now)]
