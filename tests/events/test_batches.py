"""A batch is finished as a whole before it is acknowledged, and too many dead letters alarm."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from stats_pipeline.errors import QueueUnavailable
from stats_pipeline.events.drain import Drain
from stats_pipeline.events.indexer import EventsIndexer
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.queues.protocol import Consumer, Message, Queue
from stats_pipeline.reports import TypeReport
from tests.events.conftest import ThingPipeline
from tests.support import stored_events


class LosingAcknowledgements:
    """A queue whose connection breaks at each acknowledgement."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    @contextmanager
    def consume(self, name: str) -> Iterator[Consumer]:
        """Open a consumer that can take, but not acknowledge."""
        with self._queue.consume(name) as consumer:
            yield _Taking(consumer)

    def __getattr__(self, name: str) -> object:
        return getattr(self._queue, name)


class _Taking:
    def __init__(self, consumer: Consumer) -> None:
        self.take = consumer.take

    def acknowledge(self, messages: Sequence[Message]) -> None:
        raise QueueUnavailable(f"{len(messages)} messages can't be acknowledged")


@pytest.fixture
def pipeline(thing_pipeline: ThingPipeline) -> Pipeline:
    """Give a pipeline of `thing`."""
    return thing_pipeline()


def numbered(count: int, *, bad: int = 0) -> list[dict[str, object]]:
    """Return so many events, the first ones of which can't be stored."""
    return [{"value": "x" if number < bad else number} for number in range(count)]


def test_everything_is_written_before_the_acknowledgement(pipeline: Pipeline) -> None:
    """Where that fails, documents and dead letters are there, and the repeat changes nothing."""
    definition = pipeline.registries.event_type("thing")
    pipeline.queue.publish(definition.queue_name, [b"garbage"])
    pipeline.publish("thing", numbered(5, bad=2))
    indexer = EventsIndexer(
        definition,
        store=pipeline.store,
        dead_letters=pipeline.dead_letters,
        clock=pipeline.clock,
        earliest=pipeline.settings["STATS_EARLIEST"],
    )
    losing = LosingAcknowledgements(pipeline.queue)
    drain = Drain(
        definition=definition,
        indexer=indexer,
        queue=losing,  # type: ignore[arg-type]
        dead_letters=pipeline.dead_letters,
        ledger=pipeline.ledger,
        state=pipeline.store.state,
        clock=pipeline.clock,
    )
    report = drain.run()
    assert report.error == "2 messages can't be acknowledged"
    before = stored_events(pipeline, "thing")
    assert {event["value"] for event in before} == {2, 3, 4}
    kinds = sorted(letter.kind for letter in pipeline.dead_letters.list())
    assert kinds == ["invalid", "invalid", "undecodable"]

    report = pipeline.process_events()
    assert (report.taken, report.indexed, report.duplicates, report.dead) == (6, 0, 3, 3)
    assert stored_events(pipeline, "thing") == before
    assert [letter.tries for letter in pipeline.dead_letters.list()] == [2, 2, 2]
    assert pipeline.process_events().taken == 0


def test_D16_the_report_adds_up_for_each_type_and_in_total(pipeline: Pipeline) -> None:
    """What was taken is indexed, duplicate, dropped or dead; an empty queue is success."""
    assert pipeline.process_events().as_dict()["taken"] == 0
    event = {"value": 1, "event_id": "e", "timestamp": "2016-12-18"}
    pipeline.publish("thing", [*numbered(10, bad=3), event, event])
    report = pipeline.process_events()
    assert (report.taken, report.indexed, report.duplicates, report.dead) == (12, 8, 1, 3)
    assert report.types["thing"].as_dict().items() <= report.as_dict().items()


@pytest.mark.parametrize(
    ("events", "bad", "alarms"), [(1_000, 51, True), (1_000, 50, False), (999, 999, False)]
)
def test_a_batch_with_more_than_a_twentieth_of_dead_events_alarms(
    thing_pipeline: ThingPipeline, events: int, bad: int, *, alarms: bool
) -> None:
    """Below 1,000 events nothing is said: a share of few says little."""
    pipeline = thing_pipeline()
    pipeline.publish("thing", numbered(events, bad=bad))
    report = pipeline.process_events()
    assert (report.taken, report.dead) == (events, bad)
    expected = f"{bad} of {events} events became dead letters" if alarms else ""
    assert report.alarm.startswith(expected)
    assert bool(report.alarm) is alarms


def test_batches_of_small_messages_are_judged_together(pipeline: Pipeline) -> None:
    """On RabbitMQ a batch has at most as many messages as a worker may hold."""
    body = json.dumps({"events": [{"event_id": "e", "timestamp": "no time"}]}).encode()
    pipeline.queue.publish(pipeline.registries.event_type("thing").queue_name, [body] * 2_500)
    assert re.match(r"\d+ of \d+ events became dead letters", pipeline.process_events().alarm)


def test_an_alarm_ends_the_drain_and_the_next_one_goes_on(pipeline: Pipeline) -> None:
    """The batch was finished and acknowledged; what is behind it waits."""
    pipeline.publish("thing", numbered(2_000, bad=200))
    pipeline.publish("thing", numbered(500))
    first = pipeline.process_events()
    assert (first.taken, first.dead, bool(first.alarm)) == (2_000, 200, True)
    second = pipeline.process_events()
    assert (second.taken, second.indexed, second.alarm) == (500, 500, "")


def test_reports_add_up() -> None:
    """Counts and reasons are summed; the first error and the first alarm stay."""
    one = TypeReport(taken=2, dropped=2, reasons={"a": 2}, alarm="first")
    two = TypeReport(taken=3, dropped=3, reasons={"a": 1, "b": 2}, error="e", alarm="second")
    both = one + two
    assert both.as_dict() == {
        "taken": 5,
        "indexed": 0,
        "duplicates": 0,
        "dropped": 5,
        "dead": 0,
        "reasons": {"a": 3, "b": 2},
        "error": "e",
        "alarm": "first",
    }
