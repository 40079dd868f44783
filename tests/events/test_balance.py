"""The balance sheet: every accepted event is stored, a duplicate, dropped or dead, and no hole."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from stats_pipeline import Drop
from stats_pipeline.errors import QueueUnavailable
from stats_pipeline.events import messages
from stats_pipeline.events import publisher as publishing
from stats_pipeline.events.envelope import to_json
from stats_pipeline.events.messages import MOST_EVENTS, Numbering, Outgoing, decode
from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.queues.protocol import Queue
from stats_pipeline.reports import Balance
from stats_pipeline.stores.protocol import Put
from tests.events.conftest import ThingPipeline
from tests.support import stored_documents

TIME = "2016-12-18T10:30:00.000Z"


def drop_odd(event: Event) -> Event:
    """Leave out what has an odd value."""
    if event["value"] % 2:
        raise Drop("odd")
    return event


def things(*values: object) -> list[dict[str, Any]]:
    """Return an event for each value."""
    return [{"event_id": f"e{v}", "timestamp": TIME, "value": v} for v in values]


def confirmed(numbering: Numbering, events: Sequence[Event]) -> list[Outgoing]:
    """Return a message for each event, of which each was taken before the next one was made."""
    messages = []
    for event in events:
        messages += numbering.number("q", [to_json(event)])
        numbering.confirm(messages)
    return messages


def balance(pipeline: Pipeline) -> Balance:
    """Return the balance of `thing`."""
    return pipeline.balance(["thing"]).types["thing"]


def numbers(found: Balance) -> tuple[int, int, int, int, int]:
    """Return accepted, stored, duplicates, dropped, dead."""
    return (found.accepted, found.stored, found.duplicates, found.dropped, found.dead)


def queue_name(pipeline: Pipeline) -> str:
    """Return the queue of `thing`."""
    return pipeline.registries.event_type("thing").queue_name


def test_every_event_is_in_the_balance(thing_pipeline: ThingPipeline) -> None:
    """Stored, duplicates, dropped by reason and dead add up to what was accepted."""
    pipeline = thing_pipeline(preprocessors=[drop_odd])
    assert numbers(balance(pipeline)) == (0, 0, 0, 0, 0)
    pipeline.publish("thing", things(2, 4, 4, 3, 5, "x"))
    pipeline.publish("thing", things(2, 6))
    waiting = balance(pipeline)
    assert (waiting.accepted, waiting.waiting_messages) == (0, 2)
    pipeline.process_events()
    found = balance(pipeline)
    assert numbers(found) == (8, 3, 2, 2, 1)
    assert (found.reasons, found.is_closed, found.waiting_messages) == ({"odd": 2}, True, 0)


def test_a_message_that_comes_again_is_entered_once(thing_pipeline: ThingPipeline) -> None:
    """Its entry has an id of its publisher and number."""
    pipeline = thing_pipeline()
    (message,) = Numbering().number("q", map(to_json, things(1, 2)))
    for _ in range(3):
        pipeline.queue.publish(queue_name(pipeline), [message.body] * 2)
        pipeline.process_events()
    assert numbers(balance(pipeline)) == (2, 2, 0, 0, 0)
    assert pipeline.balance().is_closed


def test_messages_of_strangers_are_in_the_balance(thing_pipeline: ThingPipeline) -> None:
    """They have no number; what can't be read is one dead event."""
    pipeline = thing_pipeline()
    foreign = json.dumps({"events": things(1, 2)}).encode()
    odd = json.dumps({"events": things(3), "publisher": 7, "sequence": "x"}).encode()
    pipeline.queue.publish(queue_name(pipeline), [foreign, foreign, b"garbage", odd])
    pipeline.process_events()
    assert numbers(balance(pipeline)) == (4, 3, 0, 0, 1)
    assert pipeline.balance().is_closed


def test_a_message_that_got_lost_on_its_way_is_reported(thing_pipeline: ThingPipeline) -> None:
    """With its publisher and its number, as a purged queue would lose it."""
    pipeline = thing_pipeline()
    sent = confirmed(Numbering(), things(*range(6)))
    arrives = [sent[position].body for position in (1, 2, 5)]
    pipeline.queue.publish(queue_name(pipeline), arrives)
    pipeline.process_events()
    found = balance(pipeline)
    assert not found.is_closed
    assert [(hole.first, hole.last) for hole in found.missing] == [(1, 1), (4, 5)]
    assert {hole.publisher for hole in found.missing} == {decode(sent[0].body).publisher}
    late = [sent[position].body for position in (4, 3, 0)]
    pipeline.queue.publish(queue_name(pipeline), late)
    pipeline.process_events()
    assert balance(pipeline).is_closed


def test_what_a_killed_publisher_was_sending_is_no_loss(thing_pipeline: ThingPipeline) -> None:
    """Of several messages under way at once some arrive; nobody was told that the others were."""
    pipeline = thing_pipeline()
    numbering = Numbering()
    first, second = confirmed(numbering, things(1, 2))
    under_way = [numbering.number("q", [to_json(event)])[0] for event in things(3, 4, 5, 6)]
    arrives = [second, under_way[1], under_way[3]]
    pipeline.queue.publish(queue_name(pipeline), [message.body for message in arrives])
    pipeline.process_events()
    found = balance(pipeline)
    # The first one was taken, and got lost.
    assert [(hole.first, hole.last) for hole in found.missing] == [(1, 1)]
    assert [(hole.first, hole.last) for hole in found.unsettled] == [(3, 3), (5, 5)]
    pipeline.queue.publish(queue_name(pipeline), [first.body])
    pipeline.process_events()
    assert balance(pipeline).is_closed
    # It lives, and goes on: what it was told is taken is missing from here on.
    numbering.confirm(under_way)
    (seventh,) = confirmed(numbering, things(7))
    pipeline.queue.publish(queue_name(pipeline), [seventh.body])
    pipeline.process_events()
    found = balance(pipeline)
    assert [(hole.first, hole.last) for hole in found.missing] == [(3, 3), (5, 5)]
    assert (found.unsettled, found.is_closed) == ((), False)


def test_a_message_that_does_not_say_what_is_settled_speaks_of_all_before(
    thing_pipeline: ThingPipeline,
) -> None:
    """As those of an earlier version do; what is no number says nothing either."""
    pipeline = thing_pipeline()
    for number, settled in enumerate([None, True, "1", 9, -1], 2):
        message = {"publisher": str(number), "sequence": 2, "settled": settled, "events": []}
        pipeline.queue.publish(queue_name(pipeline), [json.dumps(message).encode()])
    assert pipeline.process_events().types["thing"].error == ""
    assert [(hole.first, hole.last) for hole in balance(pipeline).missing] == [(1, 1)] * 5


def test_an_event_that_fails_when_its_message_comes_again_is_no_surplus(
    thing_pipeline: ThingPipeline,
) -> None:
    """It is stored and also a dead letter, whose replay changes nothing: it was accepted once."""
    calls = []

    def fail_at_the_second(event: Event) -> Event:
        calls.append(event)
        if len(calls) > 1:
            raise RuntimeError("what it looks up is away")
        return event

    pipeline = thing_pipeline(preprocessors=[fail_at_the_second])
    (message,) = confirmed(Numbering(), things(1))
    for _ in range(2):
        pipeline.queue.publish(queue_name(pipeline), [message.body])
        pipeline.process_events()
    assert len(pipeline.dead_letters.list()) == 1
    assert (balance(pipeline).accepted, balance(pipeline).is_closed) == (1, True)


def test_what_is_too_much_in_one_hour_is_no_duplicate_of_another(
    thing_pipeline: ThingPipeline,
) -> None:
    """More events were stored than accepted, though the day has fewer than came in."""
    pipeline = thing_pipeline()
    for _ in range(2):
        pipeline.publish("thing", things(1, 2, 3))
    other = {"event_id": "o", "timestamp": "2016-12-18T11:00:00Z", "value": 4}
    pipeline.publish("thing", [other])
    pipeline.process_events()
    (document,) = (
        each for each in stored_documents(pipeline, "thing") if each.body["event_id"] == "o"
    )
    body = {**document.body, "event_id": "forged"}
    pipeline.store.bulk([Put(document.index, "forged", body, 1)])
    assert balance(pipeline).surplus == {"2016-12-18T11:00:00.000Z": 1}


def test_what_is_stored_and_was_never_accepted_is_reported(thing_pipeline: ThingPipeline) -> None:
    """With its hour, so that somebody can look there."""
    pipeline = thing_pipeline()
    pipeline.publish("thing", things(1))
    pipeline.process_events()
    index = "events-stats-thing-2016-12"
    prefix = pipeline.settings["STATS_INDEX_PREFIX"]
    smuggled = [
        Put(f"{prefix}{index}", f"s{hour}", {"event_id": "s", "timestamp": f"2016-12-{hour}Z"})
        for hour in ("18T10:00:00.000", "18T23:59:59.999", "19T00:00:00.000")
    ]
    pipeline.store.bulk(smuggled)
    found = balance(pipeline)
    assert found.surplus == {
        "2016-12-18T10:00:00.000Z": 1,
        "2016-12-18T23:00:00.000Z": 1,
        "other times": 1,
    }
    assert not found.is_closed


class Refusing:
    """A queue that takes nothing while it `refuses`."""

    refuses = False

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def publish(self, name: str, bodies: Sequence[bytes]) -> None:
        """Take messages, or not."""
        if self.refuses:
            raise QueueUnavailable("takes nothing")
        self._queue.publish(name, bodies)

    def __getattr__(self, name: str) -> object:
        return getattr(self._queue, name)


@pytest.fixture
def refusing(
    embedded_pipeline: ThingPipeline, monkeypatch: pytest.MonkeyPatch
) -> tuple[Pipeline, Refusing]:
    """Give a pipeline with a buffer of three events, and its queue, which may refuse."""
    monkeypatch.setattr(publishing, "RESEND_SECONDS", 0.05)
    pipeline = embedded_pipeline(settings={"STATS_BUFFER_EVENTS": 3})
    outlet = pipeline.publisher._outlet
    outlet._queue = queue = Refusing(outlet._queue)  # type: ignore[assignment]
    return pipeline, queue


def test_what_neither_queue_nor_spool_takes_waits_in_memory(
    refusing: tuple[Pipeline, Refusing], caplog: pytest.LogCaptureFixture
) -> None:
    """Up to the size of the buffer; what comes then is lost, counted, logged and reported."""
    pipeline, queue = refusing
    queue.refuses = True
    for value in range(5):
        pipeline.emit("thing", things(value))
    assert not pipeline.flush(timeout_seconds=0.5)
    assert pipeline.publisher.counts["lost"] == 2
    assert caplog.text.count("LOST: 1 events") == 2
    assert "3 events" in caplog.text
    queue.refuses = False
    assert pipeline.flush()
    pipeline.process_events()
    found = balance(pipeline)
    assert (found.accepted, found.stored, found.lost) == (3, 3, 2)
    assert (found.missing, found.is_closed) == ((), False)


def test_what_was_refused_to_the_caller_is_no_loss(refusing: tuple[Pipeline, Refusing]) -> None:
    """The caller got an error and knows; the hole in the numbers is explained."""
    pipeline, queue = refusing
    queue.refuses = True
    with pytest.raises(QueueUnavailable):
        pipeline.publish("thing", things(1, 2))
    queue.refuses = False
    pipeline.publish("thing", things(3))
    pipeline.process_events()
    found = balance(pipeline)
    assert (found.accepted, found.refused, found.missing, found.is_closed) == (1, 2, (), True)


def test_what_was_refused_last_is_told_at_the_end(refusing: tuple[Pipeline, Refusing]) -> None:
    """Also where a message of another thread came after it: else that would leave a hole."""
    pipeline, queue = refusing
    own = pipeline.publisher._own().numbering
    refused = own.number(queue_name(pipeline), map(to_json, things(1, 2)))
    pipeline.publish("thing", things(3))
    own.give_up(refused, is_lost=False)
    pipeline.publisher.close()
    pipeline.process_events()
    found = balance(pipeline)
    assert (found.accepted, found.refused, found.missing, found.is_closed) == (1, 2, (), True)
    assert queue.depth(queue_name(pipeline)) == 0  # type: ignore[operator]


def test_after_a_day_without_a_message_the_numbers_begin_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under another name, since those before may have expired; but not before all is reported."""
    numbering = Numbering()

    def next_one() -> tuple[str, int]:
        (message,) = numbering.number("q", [b"{}"])
        numbering.confirm([message])
        received = decode(message.body)
        return received.publisher, received.sequence

    name, _ = next_one()
    assert next_one() == (name, 2)
    monkeypatch.setattr(messages, "IDLE_SECONDS", 0)
    second, number = next_one()
    assert (second != name, number) == (True, 1)
    numbering.give_up(numbering.number("q", [b"{}"]), is_lost=True)
    monkeypatch.setattr(messages, "IDLE_SECONDS", 1_000)
    third = next_one()
    monkeypatch.setattr(messages, "IDLE_SECONDS", 0)
    assert third[1] == 2
    assert next_one()[0] != third[0]


@pytest.mark.parametrize("name", ["\ud800", "\u00e9" * 300])
def test_a_name_that_no_store_takes_is_a_strangers(
    thing_pipeline: ThingPipeline, name: str
) -> None:
    """Its events are counted, and its message does not block the queue."""
    pipeline = thing_pipeline()
    message = {"publisher": name, "sequence": 7, "events": things(1)}
    pipeline.queue.publish(queue_name(pipeline), [json.dumps(message).encode()])
    assert pipeline.process_events().types["thing"].error == ""
    assert (balance(pipeline).stored, balance(pipeline).is_closed) == (1, True)


def test_a_message_with_more_than_events_can_be_is_none_of_ours() -> None:
    """Each of them would be a dead letter in memory."""
    zeros = b", ".join([b"0"] * (MOST_EVENTS + 1))
    with pytest.raises(ValueError, match="100,000 events"):
        decode(b'{"events": [%b]}' % zeros)


def drop_with_a_tuple(event: Event) -> Event:
    """Give a reason that is no text, as a host's preprocessor may."""
    raise Drop((event["value"], "wrong"))  # type: ignore[arg-type]


def test_a_reason_that_is_no_text_does_not_block_the_queue(
    embedded_pipeline: ThingPipeline,
) -> None:
    """It is counted under the text that it is shown as."""
    pipeline = embedded_pipeline(preprocessors=[drop_with_a_tuple])
    pipeline.publish("thing", things(1))
    assert pipeline.process_events().types["thing"].dropped == 1
    assert balance(pipeline).reasons == {"(1, 'wrong')": 1}


def test_a_refused_message_that_did_arrive_is_processed(thing_pipeline: ThingPipeline) -> None:
    """As with a broker that dies just before it confirms: what happened outweighs what was said."""
    pipeline = thing_pipeline()
    numbering = Numbering()
    first = numbering.number("q", map(to_json, things(1, 2)))
    numbering.give_up(first, is_lost=True)
    second = numbering.number("q", map(to_json, things(3)))
    for bodies in ([second[0].body], [first[0].body], [second[0].body]):
        pipeline.queue.publish(queue_name(pipeline), bodies)
        pipeline.process_events()
    found = balance(pipeline)
    assert (found.accepted, found.stored, found.lost, found.is_closed) == (3, 3, 0, True)


def test_what_was_given_up_is_reported_until_a_message_is_confirmed() -> None:
    """Each message says it until one is known to be on its way; then no other does."""
    numbering = Numbering()
    numbering.give_up(numbering.number("q", [b"{}"] * 2), is_lost=True)
    one, two = (numbering.number("q", [b"{}"])[0] for _ in range(2))
    assert len(one.reports) == len(two.reports) == 1
    assert numbering.number("other", [b"{}"])[0].reports == ()
    numbering.confirm([one])
    assert numbering.number("q", [b"{}"])[0].reports == ()


def test_the_command_shows_the_balance_and_fails_where_it_does_not_close(
    embedded_pipeline: ThingPipeline,
) -> None:
    """A person reads a table and what is missing; a program reads JSON and the exit code."""
    pipeline = embedded_pipeline()
    app = Flask("host")
    app.extensions["stats_pipeline"] = pipeline
    from stats_pipeline.cli import stats

    runner = app.test_cli_runner()
    pipeline.publish("thing", things(1, 2))
    pipeline.process_events()
    good = runner.invoke(stats, ["balance"])
    assert good.exit_code == 0
    assert good.stdout.splitlines()[1].split() == ["thing", "2", "2", "0", "0", "0"]
    numbering = Numbering()
    _, second = confirmed(numbering, things(1, 2))
    _, fourth = (numbering.number("q", [b"{}"])[0] for _ in range(2))
    pipeline.queue.publish(queue_name(pipeline), [second.body, fourth.body])
    pipeline.process_events()
    bad = runner.invoke(stats, ["balance"])
    assert bad.exit_code == 1
    assert f"message 1 of {decode(second.body).publisher}" in bad.output
    assert "1 message was being sent when the publisher ended" in bad.output
    data = json.loads(runner.invoke(stats, ["balance", "--json"]).stdout)
    assert (data["is_closed"], len(data["types"]["thing"]["missing"])) == (False, 1)


def test_times_of_the_ledger_are_when_a_message_was_processed(
    thing_pipeline: ThingPipeline,
) -> None:
    """A hole says since when it is known."""
    pipeline = thing_pipeline()
    _, second = confirmed(Numbering(), things(1, 2))
    pipeline.queue.publish(queue_name(pipeline), [second.body])
    before = datetime.now(UTC)
    pipeline.process_events()
    (hole,) = balance(pipeline).missing
    noticed = datetime.fromisoformat(hole.noticed_at)
    assert before.replace(microsecond=0) <= noticed <= datetime.now(UTC)
