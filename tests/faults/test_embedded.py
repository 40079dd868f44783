"""The faults that a single machine has, on the embedded pair: one SQLite file for everything."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest

from scripts.services.server import wait_until
from stats_pipeline.errors import QueueUnavailable
from stats_pipeline.events import publisher as publisher_module
from stats_pipeline.sqlite import connections
from tests.faults.conftest import Host, Start
from tests.faults.processes import drain_for_ever, update_for_ever
from tests.faults.test_many_workers import taken
from tests.faults.test_poison import STRANGE_MESSAGES
from tests.faults.traffic import (
    AGGREGATION,
    EVENT_TYPE,
    ImpatientClock,
    LaterClock,
    assert_at_rest,
    downloads,
    expected_of,
    publish,
)
from tests.support import Backend

KILLS = [20, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])]
EVENTS_PER_KILL = 200
SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS = 0.05, 0.4

#: Short, so that the next run need not wait long for a killed one's interval.
LEASE: dict[str, Any] = {"STATS_LEASE_SECONDS": 1}

EVENTS = 3_000

#: Small, so that every worker gets some, and a batch is several messages.
MESSAGE_EVENTS = 10

PATIENCE_SECONDS = 60


@pytest.mark.parametrize("kills", KILLS)
def test_A004_32_a_process_killed_again_and_again_loses_nothing_and_counts_nothing_twice(
    embedded: Backend, host: Host, start: Start, seed: int, kills: int
) -> None:
    """It drains; its messages go back when the next consumer sees that it is gone."""
    chance = random.Random(seed)
    pipeline = host(embedded)
    events = downloads(kills * EVENTS_PER_KILL)
    for kill in range(kills):
        portion = events[kill * EVENTS_PER_KILL : (kill + 1) * EVENTS_PER_KILL]
        publish(pipeline, portion, MESSAGE_EVENTS)
        worker = start(embedded, drain_for_ever)
        time.sleep(chance.uniform(SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS))
        worker.kill()
    assert_at_rest(pipeline, expected_of(events))


@pytest.mark.parametrize("kills", KILLS)
def test_an_update_killed_again_and_again_ends_in_exact_totals(
    embedded: Backend, host: Host, start: Start, seed: int, kills: int
) -> None:
    """Events come in all the time, so that each life has something to do."""
    chance = random.Random(seed)
    pipeline = host(embedded, **LEASE)
    events = downloads(kills * EVENTS_PER_KILL)
    for kill in range(kills):
        run = start(embedded, update_for_ever, **LEASE)
        publish(pipeline, events[kill * EVENTS_PER_KILL : (kill + 1) * EVENTS_PER_KILL])
        pipeline.process_events()
        time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))
        run.kill()
    # What a killed run held is repeated a day later.
    assert_at_rest(host(embedded, clock=LaterClock()), expected_of(events))


def test_four_processes_at_one_file_count_every_event_once(
    embedded: Backend, host: Host, start: Start
) -> None:
    """They drain the same queue, and two more update the same rows meanwhile."""
    pipeline = host(embedded)
    events = downloads(EVENTS)
    workers = [start(embedded, work) for work in [drain_for_ever] * 4 + [update_for_ever] * 2]
    publish(pipeline, events, MESSAGE_EVENTS)
    assert_at_rest(pipeline, expected_of(events))
    assert all(worker.is_running() for worker in workers)


def test_every_message_twice_in_any_order_and_poison_among_them(
    embedded: Backend, host: Host, seed: int
) -> None:
    """Every event counts once; what nobody can count is one dead letter and costs only itself."""
    pipeline = host(embedded)
    events = downloads(EVENTS)
    invalid = {**downloads(1, first=EVENTS)[0], "no_such_field": 1}
    without_item = {**downloads(1, first=EVENTS + 1)[0], "file_id": None}
    del without_item["file_id"]
    mixed = [*events, invalid, without_item]
    random.Random(seed).shuffle(mixed)
    publish(pipeline, mixed)
    queue_name = pipeline.registries.event_type(EVENT_TYPE).queue_name
    bodies = [*taken(pipeline, queue_name), *STRANGE_MESSAGES] * 2
    random.Random(seed).shuffle(bodies)
    pipeline.queue.publish(queue_name, bodies)
    dead = {"undecodable": 1, "invalid": 2, "preprocessor": 1}
    assert_at_rest(pipeline, expected_of(events, dead=dead))


@pytest.mark.parametrize(
    "stops", [4, pytest.param(60, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])]
)
def test_an_update_stopped_past_its_lease_and_continued_ends_in_exact_totals(
    embedded: Backend,
    host: Host,
    start: Start,
    seed: int,
    stops: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped (SIGSTOP) anywhere, while another run takes its intervals over."""
    # Where it was stopped in the middle of a write, nobody else can write.
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_SECONDS", 0.5)
    chance = random.Random(seed)
    pipeline = host(embedded, clock=ImpatientClock(), **LEASE)
    events = downloads(stops * EVENTS_PER_KILL)
    run = start(embedded, update_for_ever, **LEASE)
    for stop in range(stops):
        publish(pipeline, events[stop * EVENTS_PER_KILL : (stop + 1) * EVENTS_PER_KILL])
        pipeline.process_events()
        time.sleep(chance.uniform(0, 0.2))
        run.stop()
        time.sleep(1.2 * LEASE["STATS_LEASE_SECONDS"])
        pipeline.update()
        run.go_on()
    assert run.is_running()
    run.kill()
    assert_at_rest(host(embedded, clock=LaterClock()), expected_of(events))


def test_a_file_that_another_process_has_locked_for_long_delays_and_loses_nothing(
    embedded: Backend, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`publish`, processing and update say so; what was emitted waits in memory."""
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(publisher_module, "RESEND_SECONDS", 0.1)
    pipeline = host(embedded)
    events = downloads(300)
    publish(pipeline, events[:100])
    assert pipeline.process_events().indexed == 100
    publish(pipeline, events[100:200])
    lock = sqlite3.connect(embedded.store_url.removeprefix("sqlite:///"), isolation_level=None)
    with closing(lock):
        lock.execute("begin immediate")
        with pytest.raises(QueueUnavailable, match="locked"):
            pipeline.publish(EVENT_TYPE, events[200:])
        assert "locked" in pipeline.process_events().types[EVENT_TYPE].error
        assert "locked" in pipeline.update().aggregations[AGGREGATION].error
        pipeline.emit(EVENT_TYPE, events[200:])
        assert not pipeline.flush(0.5)
        lock.execute("rollback")
    wait_until(lambda: pipeline.flush(1), timeout_seconds=PATIENCE_SECONDS)
    assert_at_rest(pipeline, expected_of(events))
