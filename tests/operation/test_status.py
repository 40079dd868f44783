"""The status says what waits, what is stored, and what could not be counted."""

from datetime import UTC, datetime

from stats_pipeline.clock import ManualClock
from tests.support import BROWSER, E004_EVENTS, ROBOT, Backend, MakePipeline

NOW = datetime(2016, 12, 20, 12, tzinfo=UTC)


def test_an_empty_pipeline_has_a_status(backend: Backend, make_pipeline: MakePipeline) -> None:
    """Nothing waits, nothing is stored, and there is no share of nothing."""
    found = make_pipeline(backend, clock=ManualClock(NOW)).status()
    assert found["events"]["file-download"] == {
        "waiting_messages": 0,
        "oldest_waiting": None,
        "stored_events": 0,
        "robot_share": None,
        "stored_events_last_day": 0,
        "robot_share_last_day": None,
    }
    assert (found["dead_letters"], found["dead_letter_summary"]["total"]) == (0, 0)
    assert (found["spooled_messages"], found["runs"]) == (0, [])


def test_the_oldest_waiting_event_is_seen_and_left_where_it_is(
    backend: Backend, make_pipeline: MakePipeline
) -> None:
    """By the time at which it was received, however often one looks."""
    clock = ManualClock(NOW)
    pipeline = make_pipeline(backend, clock=clock)
    pipeline.publish("file-download", E004_EVENTS[:5])
    clock.advance(60)
    pipeline.publish("file-download", E004_EVENTS[5:])
    for _ in range(2):
        found = pipeline.status()["events"]["file-download"]
        assert found["waiting_messages"] == 2
        assert found["oldest_waiting"] == "2016-12-20T12:00:00.000Z"
    assert pipeline.process_events().taken == len(E004_EVENTS)
    assert pipeline.status()["events"]["file-download"]["oldest_waiting"] is None


def test_a_strangers_message_does_not_break_the_status(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """It waits as any other, and nobody knows since when."""
    pipeline = make_pipeline(embedded)
    name = pipeline.registries.event_type("file-download").queue_name
    for body in (b"{", b"[]", b'{"events": 7}', b'{"events": [7, {"received_at": 8}]}', b""):
        pipeline.queue.publish(name, [body])
        assert pipeline.status()["events"]["file-download"]["oldest_waiting"] is None
        pipeline.process_events()


def test_the_share_of_robots_is_that_of_the_stored_events(
    backend: Backend, make_pipeline: MakePipeline
) -> None:
    """Of all of them and of those of the last 24 hours, without those that were withdrawn."""
    pipeline = make_pipeline(backend, clock=ManualClock(NOW))
    pipeline.publish(
        "file-download",
        [
            {**E004_EVENTS[0], "event_id": f"s{number}", "user_id": None, "session_id": str(number)}
            | {"user_agent": agent, "timestamp": time}
            for number, (agent, time) in enumerate(
                [
                    (BROWSER, "2016-12-20T11:00:00Z"),
                    (ROBOT, "2016-12-20T11:00:00Z"),
                    (BROWSER, "2016-12-01T00:00:00Z"),
                    (BROWSER, "2016-12-01T00:00:00Z"),
                ]
            )
        ],
    )
    pipeline.process_events()
    found = pipeline.status()["events"]["file-download"]
    assert (found["stored_events"], found["robot_share"]) == (4, 0.25)
    assert (found["stored_events_last_day"], found["robot_share_last_day"]) == (2, 0.5)


def test_dead_letters_are_shown_by_type_and_kind(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """Their number stays where it was, and what it is made of stands beside it."""
    pipeline = make_pipeline(embedded)
    pipeline.publish("file-download", [{"colour": "red"}, {"colour": "blue"}])
    pipeline.process_events()
    found = pipeline.status()
    assert found["dead_letters"] == 2
    assert found["dead_letter_summary"]["types"] == {"file-download": {"preprocessor": 2}}
    assert found["dead_letter_summary"]["last_day"] == 2
