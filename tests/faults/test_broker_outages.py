"""The broker away, hanging or restarted: requests don't wait for it, and nothing is lost."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any

import pytest
from flask import Flask
from kombu.connection import Connection

from stats_pipeline.contrib.file_download.signals import file_downloaded
from stats_pipeline.events import publisher as publisher_module
from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.queues.amqp import AmqpQueue
from tests.faults.conftest import Host, Start
from tests.faults.gate import Gate
from tests.faults.processes import drain_for_ever
from tests.faults.traffic import (
    EVENT_TYPE,
    MESSAGE_EVENTS,
    SETTINGS,
    assert_at_rest,
    downloads,
    expected_of,
    portions,
    publish,
)
from tests.services import PrivateServer
from tests.support import Backend, MakeApp, pipeline_of

OUTAGE_SECONDS = 10
BETWEEN_SIGNALS_SECONDS = 0.01

#: Downloads while everything is well, and while the broker hangs: so many that the test runs out
#: of time if a `send` waits for anything.
BEFORE, HANGING = 100, 5_000

#: Takes how long the slowest `send` took, to be shown.
Record = Callable[[str, object], None]

QUEUED = 2_000

#: Runs in which a connection is cut, and what is published in each of them.
RUNS = [10, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])]
RUN_EVENTS = 100

#: Answers of the broker to a publisher and a worker that have something to do.
MOST_ANSWERS = 30

#: Messages that a full queue holds, and what is sent to it: several times as much.
LONGEST_QUEUE = 5
SENT_TO_FULL = 300


def build(event: Event, _sender: object, *, obj: Event, **_: Any) -> Event:
    """Build the event that the signal brings."""
    return {**event, **obj}


def make_host(make_app: MakeApp, backend: Backend, **settings: Any) -> Flask:
    """Make an app whose signals bring whole events."""
    return make_app(
        backend.store_url,
        backend.broker_url,
        STATS_EVENTS={EVENT_TYPE: {"event_builders": [build]}},
        **SETTINGS,
        **settings,
    )


def signal(events: Iterable[Event]) -> float:
    """Signal these downloads, one by one; return how long the slowest took, in seconds."""
    slowest_seconds = 0.0
    for event in events:
        begun = time.perf_counter()
        file_downloaded.send(None, obj=event)
        slowest_seconds = max(slowest_seconds, time.perf_counter() - begun)
    return slowest_seconds


@pytest.mark.timeout(180)
def test_W10_A004_15_a_broker_that_stops_for_ten_seconds_costs_nothing_and_nobody_waits(
    private_rabbitmq: PrivateServer,
    distributed: Backend,
    make_app: MakeApp,
    record_property: Record,
) -> None:
    """Nothing can come from a frozen broker: all signals return before it goes on."""
    app = make_host(make_app, Backend(distributed.store_url, private_rabbitmq.url))
    pipeline = pipeline_of(app)
    signal(downloads(BEFORE))
    assert pipeline.flush()
    private_rabbitmq.freeze()
    slowest = {"frozen": signal(downloads(HANGING, first=BEFORE))}
    private_rabbitmq.thaw()
    private_rabbitmq.stop()
    sent, until, stopped_seconds = BEFORE + HANGING, time.monotonic() + OUTAGE_SECONDS, 0.0
    while time.monotonic() < until:
        stopped_seconds = max(stopped_seconds, signal(downloads(1, first=sent)))
        sent += 1
        time.sleep(BETWEEN_SIGNALS_SECONDS)
    slowest["stopped"] = stopped_seconds
    record_property(f"slowest of {sent} sends, seconds", slowest)
    private_rabbitmq.start()
    assert_at_rest(pipeline, expected_of(downloads(sent)))


@pytest.mark.parametrize("fault", [Gate.shut, Gate.fall_silent], ids=["refused", "hanging"])
def test_W10_A004_15_signals_return_while_the_broker_refuses_or_hangs(
    behind_gate: Backend,
    gate: Gate,
    make_app: MakeApp,
    fault: Callable[[Gate], None],
    record_property: Record,
) -> None:
    """They do so although it answers nobody until all of them have returned."""
    pipeline = pipeline_of(make_host(make_app, behind_gate))
    fault(gate)
    record_property(f"slowest of {HANGING} sends, seconds", signal(downloads(HANGING)))
    assert not pipeline.flush(timeout_seconds=0)
    gate.open()
    assert_at_rest(pipeline, expected_of(downloads(HANGING)))


@pytest.mark.timeout(90)
@pytest.mark.parametrize("fault", [Gate.shut, Gate.fall_silent], ids=["refused", "hanging"])
def test_W10_A004_15_confirmed_signals_are_safe_while_the_broker_refuses_or_hangs(
    behind_gate: Backend,
    gate: Gate,
    make_app: MakeApp,
    caplog: pytest.LogCaptureFixture,
    fault: Callable[[Gate], None],
    record_property: Record,
) -> None:
    """Each is in the spool when its `send` returns; only the first one waits for the broker."""
    pipeline = pipeline_of(make_host(make_app, behind_gate, STATS_PUBLISH="confirmed"))
    signal(downloads(1))
    fault(gate)
    # Together they would wait for the broker for longer than this test may take.
    slowest = {number: signal(downloads(1, first=number)) for number in range(1, 50)}
    record_property("the two slowest sends, seconds", sorted(slowest.values())[-2:])
    assert pipeline.publisher.spooled() == len(slowest)
    (warning,) = [each for each in caplog.records if "go to the spool" in each.message]
    assert warning.exc_info, "with the traceback"
    pipeline.close()
    gate.open()
    # A host that is new sends them.
    other = pipeline_of(make_host(make_app, behind_gate))
    assert_at_rest(other, expected_of(downloads(50)))


@pytest.mark.timeout(180)
def test_W11_a_broker_killed_with_a_full_queue_that_nobody_declared_costs_nothing(
    private_rabbitmq: PrivateServer, distributed: Backend, host: Host, start: Start
) -> None:
    """What was confirmed is there again, and the worker that held some of it goes on."""
    backend = Backend(distributed.store_url, private_rabbitmq.url)
    pipeline = host(backend)
    queue_name = pipeline.registries.event_type(EVENT_TYPE).queue_name
    assert not pipeline.queue.exists(queue_name)
    events = downloads(QUEUED)
    publish(pipeline, events)
    worker = start(backend, drain_for_ever)
    private_rabbitmq.kill()
    private_rabbitmq.start()
    assert pipeline.queue.exists(queue_name)
    assert worker.is_running()
    assert_at_rest(pipeline, expected_of(events))
    assert worker.is_running()


def test_W11_what_is_published_to_a_queue_that_was_deleted_is_not_lost(
    distributed: Backend, host: Host
) -> None:
    """The publisher declares it again, also on a connection on which it was declared before."""
    pipeline = host(distributed)
    events = downloads(200)
    publish(pipeline, events[:100])
    assert pipeline.process_events().indexed == 100
    with Connection(distributed.broker_url) as connection, connection.channel() as channel:
        channel.queue_delete(pipeline.registries.event_type(EVENT_TYPE).queue_name)
    publish(pipeline, events[100:])
    assert_at_rest(pipeline, expected_of(events))


def emit(pipeline: Pipeline, events: Sequence[Event]) -> None:
    """Emit events in buffered mode, and wait until they are on their way."""
    pipeline.emit(EVENT_TYPE, events)
    assert pipeline.flush()


@pytest.mark.parametrize("send", [publish, emit])
def test_A004_32_a_message_that_was_written_and_not_confirmed_is_sent_again(
    behind_gate: Backend, gate: Gate, host: Host, send: Callable[..., None]
) -> None:
    """The connection is cut between the two, and nobody but the sender has the message."""
    pipeline = host(behind_gate)
    events = downloads(3 * MESSAGE_EVENTS)
    for portion in portions(events, MESSAGE_EVENTS):
        gate.lose(f'"{portion[0]["event_id"]}"'.encode())
        send(pipeline, portion)
        assert gate.has_lost
        assert pipeline.flush()
    assert_at_rest(pipeline, expected_of(events))


def test_a_queue_that_is_full_costs_nothing(
    distributed: Backend, amqp_url: str, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it refuses goes to the spool, and from there into the queue when workers make room."""
    monkeypatch.setattr(publisher_module, "RESEND_SECONDS", 0.2)
    pipeline = host(distributed)
    queue = AmqpQueue(amqp_url, longest_queue=LONGEST_QUEUE)
    vars(pipeline._connections)["queue"] = queue
    published, emitted = portions(downloads(2 * SENT_TO_FULL), SENT_TO_FULL)
    publish(pipeline, published, 10)
    for event in emitted:
        pipeline.emit(EVENT_TYPE, [event])
    assert not pipeline.flush()
    assert pipeline.publisher.spooled()
    assert queue.depth(pipeline.registries.event_type(EVENT_TYPE).queue_name) >= LONGEST_QUEUE
    while not pipeline.flush():
        pipeline.process_events()
    assert_at_rest(pipeline, expected_of([*published, *emitted]))


@pytest.mark.parametrize("runs", RUNS)
def test_A004_32_connections_to_the_broker_cut_at_any_answer_cost_nothing(
    behind_gate: Backend, gate: Gate, host: Host, seed: int, runs: int
) -> None:
    """Of a message whose confirm was cut there are two, and of an acknowledged one perhaps none."""
    chance = random.Random(seed)
    pipeline = host(behind_gate)
    events = downloads(runs * RUN_EVENTS)
    for portion in portions(events, RUN_EVENTS):
        gate.cut_after(chance.randrange(MOST_ANSWERS))
        publish(pipeline, portion)
        pipeline.process_events()
    gate.cut_after(inf)
    assert_at_rest(pipeline, expected_of(events))
