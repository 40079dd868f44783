"""The status says what waits, what is stored, and what could not be counted."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from stats_pipeline.clock import Clock, ManualClock
from stats_pipeline.events import probes
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.queues.amqp import connections
from stats_pipeline.settings import read_settings
from tests.support import BROWSER, E004_EVENTS, ROBOT, Backend, MakePipeline

NOW = datetime(2016, 12, 20, 12, tzinfo=UTC)


#: Nobody listens there.
NO_BROKER = "amqp://guest:guest@127.0.0.1:1//"
NO_STORE = "http://127.0.0.1:1"

#: What a status says of an event type of which it can't ask the store.
STORED = ("stored_events", "robot_share", "stored_events_last_day", "robot_share_last_day")

EMPTY_EVENT_TYPE = {"waiting_messages": 0, "oldest_waiting": None, **dict.fromkeys(STORED)} | {
    "stored_events": 0,
    "stored_events_last_day": 0,
}


@pytest.fixture
def without_broker(tmp_path: Path) -> Iterator[MakePipeline]:
    """Give a function that makes pipelines whose queues nobody can delete behind the test."""
    with ExitStack() as made:

        def make(backend: Backend, *, clock: Clock | None = None, **settings: Any) -> Pipeline:
            configuration = {"STATS_EVENTS": {"file-download": {}}, **backend.settings, **settings}
            pipeline = Pipeline(
                read_settings(configuration), instance_path=str(tmp_path), clock=clock
            )
            made.callback(pipeline.close)
            return pipeline

        yield make


def test_an_empty_pipeline_has_a_status(backend: Backend, make_pipeline: MakePipeline) -> None:
    """Nothing waits, nothing is stored, and there is no share of nothing."""
    found = make_pipeline(backend, clock=ManualClock(NOW)).status()
    assert found["events"]["file-download"] == EMPTY_EVENT_TYPE
    assert (found["dead_letters"], found["dead_letter_summary"]["total"]) == (0, 0)
    assert (found["spooled_messages"], found["runs"], found["errors"]) == (0, [], [])


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


def test_the_oldest_event_is_seen_behind_what_is_none(
    backend: Backend, make_pipeline: MakePipeline
) -> None:
    """Where no worker runs, a doctor's probe may come first, or what a stranger has sent."""
    clock = ManualClock(NOW)
    pipeline = make_pipeline(backend, clock=clock)
    name = pipeline.registries.event_type("file-download").queue_name
    probe = probes.encode(probes.Probe(token_hex(16), NOW))
    strange = [b"{", b"[]", b'{"events": [7, {"received_at": 8}]}', b'{"events": []}', b""]
    pipeline.queue.publish(name, [probe, *strange])
    pipeline.publish("file-download", E004_EVENTS[:5])
    found = pipeline.status()["events"]["file-download"]
    assert found["waiting_messages"] == 7
    assert found["oldest_waiting"] == "2016-12-20T12:00:00.000Z"


def test_while_the_broker_is_away_all_else_is_shown_and_the_spool_says_what_waits(
    embedded: Backend, without_broker: MakePipeline
) -> None:
    """Why the queue is not known stands where it would be, and once among the errors."""
    clock = ManualClock(NOW)
    worker = without_broker(embedded, clock=clock)
    worker.publish("file-download", [*E004_EVENTS, {"colour": "red"}])
    worker.process_events()
    pipeline = without_broker(Backend(embedded.store_url, NO_BROKER), clock=clock)
    pipeline.publish("file-download", E004_EVENTS[:1])
    clock.advance(60)
    pipeline.publish("file-download", E004_EVENTS[1:2])
    assert pipeline.spool is not None
    pipeline.spool.publish("another", [bytes(1_000_000)])

    found = pipeline.status()
    (why,) = found["errors"]
    assert "does not answer" in why
    assert found["queue"] == {"error": why}
    event_type = found["events"]["file-download"]
    assert event_type["waiting_messages"] == {"error": why}
    assert event_type["oldest_waiting"] == "2016-12-20T12:00:00.000Z"
    assert event_type["stored_events"] == 7
    assert (found["spooled_messages"], found["dead_letters"]) == (3, 1)
    assert found["spool_megabytes"] == {"used": 1.0, "limit": 1_000}
    assert found["aggregations"]["file-download-agg"]["dirty_intervals"] == 2
    assert found["runs"][0]["job"] == "process_events"
    expected = {"queue", "events"}
    assert {name for name, part in found.items() if why in str(part)} == {*expected, "errors"}


def test_while_the_store_is_away_all_else_is_shown(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """What waits in the queue is known, and since when."""
    pipeline = make_pipeline(Backend(NO_STORE), clock=ManualClock(NOW))
    pipeline.publish("file-download", E004_EVENTS)
    found = pipeline.status()
    (why,) = found["errors"]
    assert "does not answer" in why
    failed = {"error": why}
    assert found["events"]["file-download"] == {
        "waiting_messages": 1,
        "oldest_waiting": "2016-12-20T12:00:00.000Z",
        **dict.fromkeys(STORED, failed),
    }
    assert found["store"] == found["dead_letters"] == found["dead_letter_summary"] == failed
    assert found["runs"] == found["aggregations"]["file-download-agg"] == failed
    assert "SQLite" in found["queue"]
    assert found["spooled_messages"] == 0


@pytest.fixture
def silent_broker() -> Iterator[socket.socket]:
    """Give a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_broker_that_does_not_answer_is_asked_once(
    embedded: Backend,
    without_broker: MakePipeline,
    silent_broker: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each question would take seconds: for how many event types does not matter."""
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.1)
    url = f"amqp://127.0.0.1:{silent_broker.getsockname()[1]}//"
    silent_broker.settimeout(0)

    def connections_of(events: dict[str, Any]) -> int:
        pipeline = without_broker(Backend(embedded.store_url, url), STATS_EVENTS=events)
        assert len(pipeline.status()["errors"]) == 1
        number = 0
        while True:
            try:
                silent_broker.accept()[0].close()
            except BlockingIOError:
                return number
            number += 1

    assert connections_of({"file-download": {}, "record-view": {}}) == connections_of({}) > 0


def test_a_spool_that_can_not_be_read_hides_nothing_else(
    embedded: Backend, without_broker: MakePipeline, tmp_path: Path
) -> None:
    """Its own place says why."""
    (tmp_path / "spool.db").mkdir()
    found = without_broker(Backend(embedded.store_url, NO_BROKER)).status()
    assert "spool.db" in found["spooled_messages"]["error"]
    assert found["dead_letters"] == 0
    assert len(found["errors"]) == 2


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
