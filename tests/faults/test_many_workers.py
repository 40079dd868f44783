"""Many workers at one queue, and messages that come more than once and in any order."""

import random

import pytest

from stats_pipeline.pipeline import Pipeline
from tests.faults.conftest import Host, Start
from tests.faults.processes import drain_for_ever
from tests.faults.traffic import EVENT_TYPE, assert_at_rest, downloads, expected_of, publish
from tests.support import Backend

WORKERS = 4

EVENTS = 3_000

#: Small, so that every worker gets some.
MESSAGE_EVENTS = 10

LARGE = pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])


@pytest.mark.parametrize("count", [EVENTS, LARGE])
def test_four_workers_at_one_queue_count_every_event_once(
    distributed: Backend, host: Host, start: Start, count: int
) -> None:
    """Each is a process of its own, and they write to the same hours at the same time."""
    pipeline = host(distributed)
    workers = [start(distributed, drain_for_ever) for _ in range(WORKERS)]
    events = downloads(count)
    publish(pipeline, events, MESSAGE_EVENTS)
    assert_at_rest(pipeline, expected_of(events))
    assert all(worker.is_running() for worker in workers)


@pytest.mark.parametrize("count", [EVENTS, LARGE])
def test_A004_32_every_message_twice_and_in_any_order_counts_every_event_once(
    distributed: Backend, host: Host, start: Start, seed: int, count: int
) -> None:
    """Two workers share them, so that the second copy may be finished before the first."""
    pipeline = host(distributed)
    events = downloads(count)
    publish(pipeline, events)
    queue_name = pipeline.registries.event_type(EVENT_TYPE).queue_name
    bodies = taken(pipeline, queue_name) * 2
    random.Random(seed).shuffle(bodies)
    pipeline.queue.publish(queue_name, bodies)
    workers = [start(distributed, drain_for_ever) for _ in range(2)]
    assert_at_rest(pipeline, expected_of(events))
    assert all(worker.is_running() for worker in workers)


def taken(pipeline: Pipeline, queue_name: str) -> list[bytes]:
    """Take all messages out of a queue."""
    bodies: list[bytes] = []
    with pipeline.queue.consume(queue_name) as consumer:
        while messages := list(iter(consumer.take, None)):
            consumer.acknowledge(messages)
            bodies += [message.body for message in messages]
    return bodies
