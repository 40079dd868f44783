"""Runs that overlap, die or are stopped: the totals are exact once all has caught up."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from stats_pipeline.aggregations import update as updating
from stats_pipeline.aggregations.lease import acquire
from stats_pipeline.clock import ManualClock, SystemClock
from stats_pipeline.errors import LeaseLost, StoreUnanswered
from stats_pipeline.intervals import Period
from stats_pipeline.reports import AggregationReport
from stats_pipeline.stores.protocol import ItemResult, Operation, Store
from tests.aggregations.conftest import PATIENCE_SECONDS, Make, SetCall
from tests.aggregations.faulty import CallingAggregator
from tests.aggregations.host import NOON, rows, table, take, update, visits
from tests.support import Backend


def test_W18_two_overlapping_runs_end_in_exact_totals(make: Make, at_row: SetCall) -> None:
    """The second run waits for the interval of the first, then finds nothing left to do."""
    options = {"aggregator_class": CallingAggregator, "clock": SystemClock()}
    first, second = make(**options), make(**options)
    take(first, visits(*[(f"2017-01-0{day}T10:00:00Z", "a") for day in range(1, 5)]))
    inside, go_on = threading.Event(), threading.Event()

    def stop_in_the_first_interval(_: int) -> None:
        inside.set()
        assert go_on.wait(PATIENCE_SECONDS)

    at_row(stop_in_the_first_interval)
    reports: list[AggregationReport] = []

    def run() -> None:
        reports.append(first.update(["pages-agg"]).aggregations["pages-agg"])

    thread = threading.Thread(target=run)
    thread.start()
    assert inside.wait(PATIENCE_SECONDS)
    at_row(lambda _: go_on.set())  # the second run, at work on the next interval, frees it
    reports.append(second.update(["pages-agg"]).aggregations["pages-agg"])
    thread.join(PATIENCE_SECONDS)
    assert [report.is_complete for report in reports] == [True, True]
    assert sum(report.created for report in reports) == 4
    assert sum(report.intervals for report in reports) == 4
    assert set(table(second).values()) == {1}
    assert update(second) == {}


def test_an_event_that_arrives_while_its_day_is_recomputed_counts_in_the_next_run(
    make: Make, at_row: SetCall
) -> None:
    """Its hour is marked anew, so the run that did not see it does not finish that mark."""
    pipeline, worker = make(aggregator_class=CallingAggregator), make()
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))

    def an_event_arrives(number: int) -> None:
        if number == 0:
            at_row(lambda _: None)
            take(worker, visits(("2017-01-01T10:30:00Z", "a")))

    at_row(an_event_arrives)
    assert update(pipeline) == {"created": 1}
    assert table(pipeline) == {("2017-01-01", "a"): 1}
    assert update(pipeline) == {"updated": 1}
    assert table(pipeline) == {("2017-01-01", "a"): 2}
    assert update(pipeline) == {}


def test_a_run_killed_between_two_writes_is_made_up_for(
    make: Make, backend: Backend, tmp_path: Path, index_prefix: str
) -> None:
    """The next run takes over the expired lease; a day later the interval is checked once more."""
    clock = SystemClock()
    pipeline = make(clock=clock, lease_seconds=2)
    short = {"STATS_INDEX_PREFIX": index_prefix, "STATS_LEASE_SECONDS": 2}
    settings = {**backend.settings, **short}
    take(pipeline, visits(*[("2017-01-01T10:00:00Z", f"page {n}") for n in range(2_500)]))
    command = [sys.executable, "-m", "tests.aggregations.faulty"]
    died = subprocess.run(
        [*command, json.dumps(settings), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    pipeline.store.refresh([pipeline.registries.aggregation("pages-agg").alias])
    assert len(rows(pipeline)) == 1_000
    report = pipeline.update(["pages-agg"]).aggregations["pages-agg"]
    assert (report.created, report.unchanged, report.error) == (1_500, 1_000, "")
    assert len(rows(pipeline)) == 2_500
    assert report.is_complete
    # A stopped run could still write: the interval is repeated, at last by a run a day later.
    tomorrow = make(clock=ManualClock(clock.now()))
    assert update(tomorrow) == {"unchanged": 2_500}
    assert update(tomorrow) == {}
    tomorrow.clock.advance(86_400 + 10)  # type: ignore[attr-defined]
    assert update(tomorrow) == {"unchanged": 2_500}
    assert update(tomorrow) == {}


def test_a_run_that_was_stopped_past_its_lease_writes_nothing_more(
    make: Make, at_row: SetCall
) -> None:
    """It notices before its next write; what the other run wrote stays, and the day stays dirty."""
    clock = ManualClock(NOON)
    stopped, other = make(clock=clock, aggregator_class=CallingAggregator), make(clock=clock)
    take(stopped, visits(("2017-01-01T10:00:00Z", "a")))

    def stop_for_too_long(number: int) -> None:
        if number == 1:
            clock.advance(61)
            take(other, visits(("2017-01-01T11:00:00Z", "a")))
            assert other.update(["pages-agg"]).aggregations["pages-agg"].created == 1

    at_row(stop_for_too_long)
    report = stopped.update(["pages-agg"]).aggregations["pages-agg"]
    assert report.pending
    assert not report.created
    assert table(other) == {("2017-01-01", "a"): 2}
    clock.advance(2 * 86_400)
    assert update(other) == {"unchanged": 1}


def test_intervals_are_recomputed_at_the_same_time(make: Make, at_row: SetCall) -> None:
    """Each waits for all the others to begin, so one after the other would never end."""
    pipeline = make(threads=4, aggregator_class=CallingAggregator, clock=SystemClock())
    days = [f"2017-01-{day:02}" for day in range(1, 9)]
    take(pipeline, visits(*[(f"{day}T10:00:00Z", "a") for day in days]))
    together = threading.Barrier(4)

    def meet(number: int) -> None:
        if number == 0:
            together.wait(PATIENCE_SECONDS)

    at_row(meet)
    progress: list[tuple[int, int]] = []
    report = pipeline.update(["pages-agg"], progress=lambda *now: progress.append(now))
    assert report.is_complete
    assert table(pipeline) == {(day, "a"): 1 for day in days}
    assert progress == [(number, 8) for number in range(1, 9)]


def test_an_interval_that_fails_does_not_stop_those_beside_it(make: Make, at_row: SetCall) -> None:
    """They are done, it stays dirty, and the next run tries it again."""
    pipeline = make(threads=4, aggregator_class=CallingAggregator)
    days = [f"2017-01-{day:02}" for day in range(1, 9)]
    take(pipeline, visits(*[(f"{day}T10:00:00Z", "a") for day in days]))
    failed = threading.Event()

    def fail_once(_: int) -> None:
        if not failed.is_set():
            failed.set()
            raise ValueError("a bug of the host's")

    at_row(fail_once)
    report = pipeline.update(["pages-agg"]).aggregations["pages-agg"]
    assert "a bug of the host's" in report.error
    assert len(report.pending) == 1
    assert report.created == 7
    assert update(pipeline) == {"created": 1}


def test_a_run_that_can_hand_over_does_a_part_and_waits_for_nobody(
    make: Make, at_row: SetCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a tick of Celery, which comes again: what others hold it leaves to them."""
    monkeypatch.setattr(updating, "INTERVALS_AT_ONCE", 2)
    clock = SystemClock()
    holder = make(aggregator_class=CallingAggregator, clock=clock)
    other = make(aggregator_class=CallingAggregator, clock=clock)
    days = [f"2017-01-0{day}" for day in range(1, 6)]
    take(holder, visits(*[(f"{day}T10:00:00Z", "a") for day in days]))
    reports: list[AggregationReport] = []
    handed: list[tuple[str, list[str]]] = []

    def hand_over(name: str, intervals: Sequence[Period]) -> None:
        handed.append((name, [f"{interval.start:%Y-%m-%d}" for interval in intervals]))

    def come_by(_: int) -> None:
        at_row(lambda _: None)
        report = other.update(["pages-agg"], hand_over=hand_over)
        reports.append(report.aggregations["pages-agg"])

    at_row(come_by)
    assert update(holder) == {"created": 4}
    assert handed == [("pages-agg", days[2:])]
    (report,) = reports
    assert report.created == 1
    assert sorted(report.pending) == [f"{days[n]}T00:00:00.000Z" for n in (0, 2, 3, 4)]


def test_an_update_that_should_stop_finishes_what_it_is_at(make: Make, at_row: SetCall) -> None:
    """All else stays dirty, and is what the next run does."""
    pipeline = make(aggregator_class=CallingAggregator)
    take(pipeline, visits(*[(f"2017-01-{day:02}T10:00:00Z", "a") for day in range(1, 20)]))
    told = threading.Event()
    at_row(lambda _: told.set())
    report = pipeline.update(["pages-agg"], should_stop=told.is_set).aggregations["pages-agg"]
    assert report.created >= 1
    assert len(report.pending) >= 10
    assert update(pipeline) == {"created": len(report.pending)}
    assert len(rows(pipeline)) == 19


def test_an_update_that_should_stop_waits_for_no_other(make: Make, at_row: SetCall) -> None:
    """What another run holds stays dirty."""
    clock = SystemClock()
    holder = make(aggregator_class=CallingAggregator, clock=clock)
    other = make(aggregator_class=CallingAggregator, clock=clock)
    take(holder, visits(("2017-01-01T10:00:00Z", "a")))
    pending: list[str] = []

    def come_by(_: int) -> None:
        at_row(lambda _: None)
        answers = iter([False])
        report = other.update(["pages-agg"], should_stop=lambda: next(answers, True))
        pending.extend(report.aggregations["pages-agg"].pending)

    at_row(come_by)
    assert update(holder) == {"created": 1}
    assert pending == ["2017-01-01T00:00:00.000Z"]


class AnsweringTooLate:
    """A store that takes one bulk of rows without an answer, and does it when `do_it` is called."""

    def __init__(self, store: Store, index: str) -> None:
        self._store = store
        self._index = index
        self._taken: Sequence[Operation] = ()

    def bulk(self, operations: Sequence[Operation]) -> list[ItemResult]:
        """Do it now, or keep the first one of rows for later."""
        if self._taken or not operations[0].index.startswith(self._index):
            return self._store.bulk(operations)
        self._taken = list(operations)
        raise StoreUnanswered("no answer in time")

    def do_it(self) -> None:
        """Do what was taken, and let readers see it."""
        assert self._taken
        self._store.bulk(self._taken)
        self._store.refresh([self._taken[0].index])

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_a_write_that_was_not_answered_may_be_done_later(make: Make) -> None:
    """It then overwrites what a later run wrote, which one of the repeats of a day puts right."""
    clock = ManualClock(NOON)
    slow, other = make(clock=clock), make(clock=clock)
    definition = slow.registries.aggregation("pages-agg")
    late = AnsweringTooLate(slow.store, definition.alias)
    slow._connections.store = late  # type: ignore[assignment]
    take(other, visits(("2017-01-01T10:00:00Z", "a")))
    assert "no answer" in slow.update(["pages-agg"]).aggregations["pages-agg"].error
    take(other, visits(("2017-01-01T11:00:00Z", "a")))
    report = other.update(["pages-agg"]).aggregations["pages-agg"]
    assert table(other) == {("2017-01-01", "a"): 2}
    assert report.is_complete
    for seconds in (61, 86_400):
        late.do_it()
        assert table(other) == {("2017-01-01", "a"): 1}
        assert update(other) == {}
        clock.advance(seconds)
        assert update(other) == {"updated": 1}
        assert table(other) == {("2017-01-01", "a"): 2}
    clock.advance(86_400)
    assert update(other) == {}


def test_an_interval_that_takes_longer_than_a_lease_is_done_all_the_same(
    make: Make, at_row: SetCall
) -> None:
    """The lease is renewed while the store computes: nobody else takes the interval meanwhile."""
    clock = SystemClock()
    options = {"aggregator_class": CallingAggregator, "clock": clock, "lease_seconds": 2}
    pipeline, other = make(**options), make(**options)
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))
    others: list[AggregationReport] = []

    def take_long(number: int) -> None:
        at_row(lambda _: None)
        if number == 0:
            # It waits for the interval as long as a lease lasts, and leaves it then.
            others.extend(other.update(["pages-agg"]).aggregations["pages-agg"] for _ in range(2))

    at_row(take_long)
    assert update(pipeline) == {"created": 1}
    assert [(report.intervals, len(report.pending)) for report in others] == [(0, 1)] * 2
    # Nobody had to take it over, so it is not suspect either.
    assert update(other) == {}
    assert other.update(["pages-agg"]).aggregations["pages-agg"].intervals == 0


def test_a_lease_is_held_by_one_and_ends_by_itself(make: Make) -> None:
    """Nobody else gets it before it expires; then the earlier holder can't renew it."""
    clock = ManualClock(NOON)
    state = make(clock=clock).store.state
    lease = acquire(state, clock, "x", 60)
    assert lease
    assert acquire(state, clock, "x", 60) is None
    clock.advance(30)
    lease.check()  # renews, since more than a third is over
    clock.advance(40)
    assert acquire(state, clock, "x", 60) is None
    clock.advance(21)
    with pytest.raises(LeaseLost):
        lease.check()
    second = acquire(state, clock, "x", 60)
    assert second
    assert second.suspect_until
    lease.release()  # somebody else's by now: left alone
    second.confirm()
    second.release()
    third = acquire(state, clock, "x", 60)
    assert third
    assert third.suspect_until == second.suspect_until


def test_only_one_of_many_gets_an_expired_lease(make: Make) -> None:
    """Threads that take over at the same moment: exactly one of them succeeds."""
    clock = ManualClock(NOON)
    state = make(clock=clock).store.state
    assert acquire(state, clock, "x", 60)
    clock.advance(61)
    got: list[object] = []
    threads = [
        threading.Thread(target=lambda: got.append(acquire(state, clock, "x", 60)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(lease is not None for lease in got) == 1
