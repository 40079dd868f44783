"""Aggregation runs at the same time, in processes of their own; some stop past their lease."""

from collections.abc import Callable
from threading import Event as Signal

import pytest

from stats_pipeline.clock import SystemClock
from tests.faults.conftest import Host, Start
from tests.faults.processes import drain_for_ever, update, update_for_ever
from tests.faults.proxy import Paused, Request, StoreProxy, each_time
from tests.faults.traffic import (
    EVENT_INDEX,
    ROW_INDEX,
    LaterClock,
    assert_at_rest,
    downloads,
    expected_of,
    portions,
    publish,
    totals,
)
from tests.support import Backend

EVENTS = 300
ROUNDS = 6

LEASE_SECONDS = 4
ARRIVES_WITHIN_SECONDS = 60


def opens_snapshot_of_events(request: Request) -> bool:
    """Match the request after which a run sees no event that comes later."""
    return "_pit" in request.path and EVENT_INDEX in request.path


def writes_rows(request: Request) -> bool:
    """Match a run's first write."""
    return request.writes_to(ROW_INDEX)


class WaitingClock(SystemClock):
    """Give a signal as soon as somebody sleeps, as a run does that waits for another one."""

    def __init__(self, waits: Signal) -> None:
        self._waits = waits

    def sleep(self, seconds: float) -> None:
        """Give the signal, and sleep."""
        self._waits.set()
        super().sleep(seconds)


@pytest.mark.parametrize(
    ("matches", "is_done_first"),
    [(opens_snapshot_of_events, True), (writes_rows, False)],
    ids=["before-it-writes", "while-it-writes"],
)
def test_W18_a_run_stopped_past_its_lease_and_continued_ends_in_exact_totals(
    distributed: Backend,
    behind_proxy: Backend,
    store_proxy: StoreProxy,
    host: Host,
    start: Start,
    matches: Callable[[Request], bool],
    is_done_first: bool,
) -> None:
    """What it had under way when it was stopped (SIGSTOP) may still be done: it is repeated."""
    lease = {"STATS_LEASE_SECONDS": LEASE_SECONDS}
    pipeline = host(distributed, **lease)
    events = downloads(2 * EVENTS)
    publish(pipeline, events[:EVENTS])
    assert pipeline.process_events().indexed == EVENTS
    pause = Paused(is_done_first=is_done_first)
    store_proxy.choose = each_time(matches, [pause])
    run = start(behind_proxy, update, **lease)
    assert pause.arrived.wait(ARRIVES_WITHIN_SECONDS)
    run.stop()

    publish(pipeline, events[EVENTS:])
    assert pipeline.process_events().indexed == EVENTS
    report = pipeline.update().aggregations["file-download-agg"]
    definition = pipeline.registries.aggregation("file-download-agg")
    assert pipeline.updating(definition).dirty(), "the other run may still write"
    assert not report.error
    before = len(store_proxy.requests)
    pause.go_on.set()
    run.go_on()
    assert run.wait() == 0
    behind = store_proxy.requests[before:]
    assert behind, "it noticed that it had been stopped"
    assert not [request for request in behind if request.writes_to(ROW_INDEX)]
    if is_done_first:
        # Nothing of it was under way that had to be made up for.
        assert totals(pipeline) == expected_of(events).totals
    assert_at_rest(host(distributed, clock=LaterClock()), expected_of(events))


def test_W18_a_run_waits_for_one_that_holds_an_interval_and_counts_what_came_meanwhile(
    distributed: Backend,
    behind_proxy: Backend,
    store_proxy: StoreProxy,
    host: Host,
    start: Start,
) -> None:
    """The first one can't write over it what it saw before; nothing has to be repeated."""
    events = downloads(2 * EVENTS)
    pause = Paused(is_done_first=True)
    pipeline = host(distributed)
    publish(pipeline, events[:EVENTS])
    assert pipeline.process_events().indexed == EVENTS
    store_proxy.choose = each_time(opens_snapshot_of_events, [pause])
    first = start(behind_proxy, update)
    assert pause.arrived.wait(ARRIVES_WITHIN_SECONDS)

    publish(pipeline, events[EVENTS:])
    assert pipeline.process_events().indexed == EVENTS
    report = host(distributed, clock=WaitingClock(pause.go_on)).update()
    assert report.is_complete, report
    pause.go_on.set()  # One that had not waited would be overtaken by what the first one writes.
    assert first.wait() == 0
    assert totals(pipeline) == expected_of(events).totals
    assert_at_rest(pipeline, expected_of(events))


def test_W18_runs_that_overlap_while_events_come_in_end_in_exact_totals(
    distributed: Backend, host: Host, start: Start
) -> None:
    """Two processes update and two drain, again and again, all at the same time."""
    pipeline = host(distributed)
    workers = [start(distributed, work) for work in (update_for_ever, drain_for_ever) * 2]
    events = downloads(ROUNDS * EVENTS)
    for portion in portions(events, EVENTS):
        publish(pipeline, portion)
        pipeline.update()
    assert_at_rest(pipeline, expected_of(events))
    assert all(worker.is_running() for worker in workers)
