"""Workers that are killed at random moments, again and again, lose nothing and count nothing twice.

Not at chosen points, as in tests/events/test_killed_worker.py, but anywhere.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from celery import Celery
from kombu.entity import Queue

from scripts.services.server import wait_until
from stats_pipeline import Filter
from stats_pipeline.pipeline import Pipeline
from tests.celery.workers import Worker, running_worker, worker_settings
from tests.faults.conftest import Host, Start
from tests.faults.gate import Gate
from tests.faults.processes import drain_for_ever
from tests.faults.proxy import Paused, StoreProxy, each_time
from tests.faults.traffic import (
    EVENT_INDEX,
    EVENT_TYPE,
    LaterClock,
    assert_at_rest,
    downloads,
    expected_of,
    portions,
    publish,
)
from tests.support import Backend

#: What comes in between two kills: more than a worker does in the shortest life.
EVENTS_PER_KILL = 600

#: From before its first message to after its last one.
SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS = 0.05, 0.6

ARRIVES_WITHIN_SECONDS = 60

#: Fewer than those after which a message is tried alone.
KILLS_IN_A_ROW = 8

KILLS = [20, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])]


@pytest.mark.parametrize("kills", KILLS)
def test_A004_32_a_worker_killed_again_and_again_loses_nothing_and_counts_nothing_twice(
    distributed: Backend,
    host: Host,
    start: Start,
    seed: int,
    kills: int,
) -> None:
    """Each life ends by SIGKILL after a random time; the next worker goes on with the rest.

    Now and then nobody is killed: a message at which many workers in a row have ended is taken for
    the reason, and on a busy machine none of them lives long enough.
    """
    chance = random.Random(seed)
    web = host(distributed)
    events = downloads(kills * EVENTS_PER_KILL)
    killed_at_work = 0
    for number, portion in enumerate(portions(events, EVENTS_PER_KILL), start=1):
        publish(web, portion)
        worker = start(distributed, drain_for_ever)
        time.sleep(chance.uniform(SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS))
        assert worker.is_running()
        worker.kill()
        sent = number * EVENTS_PER_KILL
        killed_at_work += stored(web) < sent
        if number % KILLS_IN_A_ROW == 0:
            wait_until(partial(is_done, web, sent), timeout_seconds=ARRIVES_WITHIN_SECONDS)
    sys.stdout.write(f"{killed_at_work} of {kills} were killed at work\n")
    assert killed_at_work, "they were killed too late to prove anything"
    assert_at_rest(web, expected_of(events))


def test_what_a_vanished_worker_held_is_delivered_again_when_the_broker_gives_its_connection_up(
    distributed: Backend,
    behind_gate: Backend,
    gate: Gate,
    store_proxy: StoreProxy,
    host: Host,
    start: Start,
) -> None:
    """And where it was not dead after all, what it was about to write arrives a second time."""
    pipeline = host(distributed)
    events = downloads(EVENTS_PER_KILL)
    publish(pipeline, events)
    pause = Paused(is_done_first=False)
    store_proxy.choose = each_time(lambda request: request.writes_to(EVENT_INDEX), [pause])
    worker = start(Backend(store_proxy.url, behind_gate.broker_url), drain_for_ever)
    assert pause.arrived.wait(ARRIVES_WITHIN_SECONDS)
    worker.stop()
    assert pipeline.process_events().taken == 0, "it holds all of them"
    gate.shut()
    assert_at_rest(pipeline, expected_of(events))
    gate.open()
    pause.go_on.set()
    worker.go_on()
    more = downloads(EVENTS_PER_KILL, first=EVENTS_PER_KILL)
    publish(pipeline, more)
    assert_at_rest(pipeline, expected_of([*events, *more]))
    assert worker.is_running()


#: Each of them costs Celery the time to make another one.
CHILDREN_KILLED = 20


def test_A004_32_a_celery_worker_whose_processes_are_killed_loses_nothing(
    distributed: Backend,
    host: Host,
    index_prefix: str,
    tmp_path: Path,
    seed: int,
) -> None:
    """Celery puts new processes into the places of the killed ones; the next tick goes on."""
    chance = random.Random(seed)
    web = host(distributed)
    events = downloads(CHILDREN_KILLED * EVENTS_PER_KILL)
    with (
        worker_settings(distributed, index_prefix, EVENT_TYPE) as settings,
        running_worker(tmp_path, settings) as worker,
        ticking(distributed, index_prefix) as tick,
    ):
        for portion in portions(events, EVENTS_PER_KILL):
            publish(web, portion)
            tick()
            time.sleep(chance.uniform(SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS))
            kill_a_child(worker, chance)

        def is_stored() -> bool:
            tick()
            return stored(web) == len(events)

        worker.wait_until(is_stored)
        worker.kill()
        # By beat's schedule, one of the killed processes may have been updating.
        assert_at_rest(host(distributed, clock=LaterClock()), expected_of(events))


def is_done(pipeline: Pipeline, sent: int) -> bool:
    """Process what waits, and tell whether that was all of what was sent."""
    return pipeline.process_events().taken == 0 and stored(pipeline) >= sent


def stored(pipeline: Pipeline) -> int:
    """Return how many downloads are stored."""
    alias = pipeline.registries.event_type(EVENT_TYPE).alias
    pipeline.store.refresh([alias])
    with pipeline.store.snapshot([alias]) as snapshot:
        return snapshot.count(Filter())


@contextmanager
def ticking(backend: Backend, prefix: str) -> Iterator[Callable[[], None]]:
    """Give a function that sends the worker what beat sends only every five seconds."""
    name = f"{prefix}stats.ticks"
    with Celery(broker=backend.broker_url, set_as_current=False) as celery:
        celery.conf.task_queues = [Queue(name, queue_arguments={"x-queue-type": "classic"})]
        celery.conf.task_default_queue = name

        def tick() -> None:
            limit = {"time_limit_seconds": 5}
            celery.send_task("stats_pipeline.tasks.process_events", kwargs=limit, expires=5)

        yield tick


def kill_a_child(worker: Worker, chance: random.Random) -> None:
    """Kill one of the processes in which the worker runs its tasks."""
    parent = worker._process.pid
    children: list[int] = []

    def has_children() -> bool:
        found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        children[:] = [int(pid) for pid in found]
        return bool(children)

    worker.wait_until(has_children)
    with suppress(ProcessLookupError):  # it may just have ended by itself
        os.kill(chance.choice(children), signal.SIGKILL)
