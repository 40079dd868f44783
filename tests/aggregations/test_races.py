"""Races that only one order of two things loses: each is played out in that very order."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from stats_pipeline.aggregations import differences, double_clicks, interval_rows
from stats_pipeline.aggregations.dirty import DirtyInterval, DirtyMarks
from stats_pipeline.aggregations.double_clicks import set_flags
from stats_pipeline.clock import ManualClock, SystemClock, parse_time
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.protocol import Record
from stats_pipeline.stores.writing import write, write_all
from tests.aggregations.conftest import PATIENCE_SECONDS, Make, SetCall
from tests.aggregations.faulty import CallingAggregator
from tests.aggregations.host import rows, table, take, update, visits
from tests.support import stored_events

HOUR_SECONDS = 3_600
MARCH = parse_time("2017-03-15T12:00:00Z")
THREE_MONTHS = visits(
    *[(f"2017-0{month}-0{day}T10:00:00Z", "a") for month in (1, 2, 3) for day in (2, 3, 4)]
)

CLICK = {"visitor_id": "v", "unique_id": "u", "page": "a"}
#: Lines of a file.
CLICKS = [
    (second, json.dumps({**CLICK, "event_id": f"e{second}", "timestamp": time}).encode())
    for second in range(1, 5)
    for time in [f"2017-01-01T10:00:0{second}Z"]
]


def test_what_is_sealed_in_the_middle_of_a_reset_is_taken_over(make: Make, at_row: SetCall) -> None:
    """Its events go before the reset comes to them, so it looks again at what is final."""
    clock = ManualClock(MARCH)
    pipeline = make(clock=clock, retention_days=31, aggregator_class=CallingAggregator)
    other = make(clock=clock, retention_days=31)
    take(pipeline, THREE_MONTHS)
    update(pipeline)
    before = rows(pipeline)
    pipeline.apply_retention()
    clock.advance(HOUR_SECONDS)
    update(pipeline)
    deleted: list[int] = []

    def seal_and_delete(number: int) -> None:
        # Of the first day only one row was asked for: its interval is under way.
        at_row(lambda _: None)
        if number == 0:
            deleted.extend(other.apply_retention().events.values())

    at_row(seal_and_delete)
    report = pipeline.reset(["pages-agg"])
    assert report.is_complete, report
    assert deleted == [3]
    assert rows(pipeline) == before


def test_rows_that_a_reset_had_computed_before_their_time_was_sealed_give_way(
    make: Make, at_row: SetCall
) -> None:
    """A reset that was cut short is taken up when one of its rows has long been withdrawn."""
    clock = ManualClock(MARCH)
    pipeline = make(clock=clock, retention_days=31, aggregator_class=CallingAggregator)
    withdrawn = {"timestamp": "2017-01-02T11:00:00Z", "event_id": "w", "page": "withdrawn"}
    take(pipeline, [*THREE_MONTHS, withdrawn])
    asked: list[int] = []

    def die_at_the_second_day(number: int) -> None:
        asked.append(number)
        if asked.count(0) == 2:
            raise KeyboardInterrupt

    at_row(die_at_the_second_day)
    with pytest.raises(KeyboardInterrupt):
        pipeline.reset(["pages-agg"])
    at_row(lambda _: None)
    take(pipeline, [{**withdrawn, "revision": 1, "withdrawn": True}])
    update(pipeline)
    before = rows(pipeline)
    assert len(before) == len(THREE_MONTHS)
    pipeline.apply_retention()
    clock.advance(HOUR_SECONDS)
    assert list(pipeline.apply_retention().events.values()) == [4]
    assert pipeline.reset(["pages-agg"]).is_complete
    assert rows(pipeline) == before


def test_flags_of_one_aggregation_are_not_those_that_another_one_sees_older(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counter-example of the design notes: set between the other's flags and its count."""
    options = {
        "clock": SystemClock(),
        "lease_seconds": 1,
        "double_click_window": 30,
        "double_click_rule": "sliding",
        "aggregations": {"first-agg": {}, "second-agg": {}},
    }
    first, second = make(**options), make(**options)
    one = {**CLICK, "timestamp": "2017-01-01T10:00:00Z", "event_id": "1"}
    two = {**CLICK, "timestamp": "2017-01-01T10:00:10Z", "event_id": "2"}
    take(first, [one, two])
    is_read, go_on, is_written = (threading.Event() for _ in range(3))

    def set_flags_in_this_order(*args: Any, **kwargs: Any) -> int:
        if threading.current_thread() is thread:
            is_read.set()
            assert go_on.wait(PATIENCE_SECONDS)
            written = set_flags(*args, **kwargs)
            is_written.set()
        else:
            written = set_flags(*args, **kwargs)
            go_on.set()
            assert is_written.wait(PATIENCE_SECONDS)
        return written

    monkeypatch.setattr(interval_rows, "set_flags", set_flags_in_this_order)
    thread = threading.Thread(target=first.update, args=(["first-agg"],))
    thread.start()
    assert is_read.wait(PATIENCE_SECONDS)
    take(second, [{**two, "revision": 1, "withdrawn": True}])
    # It is kept from the flags, or else would count what the first one sets in between.
    second.update(["second-agg"])
    go_on.set()
    thread.join(PATIENCE_SECONDS)
    is_written.set()
    second.update(["first-agg", "second-agg"])
    for name in ("first-agg", "second-agg"):
        assert table(second, name) == {("2017-01-01", "a"): 1}


def test_a_run_that_lost_its_lease_leaves_the_marks_to_those_who_took_over(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has nothing to write, and so did not notice; the other one may write what it read before.

    Here that is the row of a visit which is withdrawn between the two reads.
    """
    clock = ManualClock(MARCH)
    slow, other = make(clock=clock), make(clock=clock)
    visit = {"timestamp": "2017-01-01T10:00:00Z", "event_id": "v", "page": "a"}
    take(slow, [visit])
    is_computed, may_write = threading.Event(), threading.Event()
    thread = threading.Thread(target=other.update, args=(["pages-agg"],))
    read = DirtyMarks.read

    def read_late(marks: DirtyMarks, interval: DirtyInterval) -> list[Record]:
        if thread.ident is None:
            clock.advance(61)
            thread.start()
            assert is_computed.wait(PATIENCE_SECONDS)
            take(slow, [{**visit, "revision": 1, "withdrawn": True}])
        return read(marks, interval)

    def write_late(*args: Any) -> Any:
        is_computed.set()
        assert may_write.wait(PATIENCE_SECONDS)
        return write(*args)

    monkeypatch.setattr(DirtyMarks, "read", read_late)
    monkeypatch.setattr(differences, "write", write_late)
    assert slow.update(["pages-agg"]).aggregations["pages-agg"].pending
    may_write.set()
    thread.join(PATIENCE_SECONDS)
    other.store.refresh([other.registries.aggregation("pages-agg").alias])
    assert table(other) == {("2017-01-01", "a"): 1}
    assert update(other) == {"deleted": 1}
    assert table(other) == {}


class Telling(SystemClock):
    """Tell that somebody waits."""

    def __init__(self) -> None:
        self.is_waiting = threading.Event()

    def sleep(self, seconds: float) -> None:
        """Tell, and wait."""
        self.is_waiting.set()
        super().sleep(seconds)


@pytest.fixture
def beside_flags(make: Make, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pipeline]:
    """Give a function that does something while an update has read clicks and flags none yet.

    The clicks, of which all but the last are double, were imported. What waits lets the update go
    on, and so does the end of what doesn't.
    """
    options = {"double_click_window": 30, "double_click_rule": "sliding"}
    clock, is_read = Telling(), threading.Event()
    updating, other = make(clock=SystemClock(), **options), make(clock=clock, **options)

    def write_late(*args: Any, **kwargs: Any) -> None:
        is_read.set()
        assert clock.is_waiting.wait(PATIENCE_SECONDS)
        write_all(*args, **kwargs)

    def do(act: Callable[[Pipeline], object]) -> Pipeline:
        assert other.moving.importing("first", "visit").take("file", CLICKS).added == len(CLICKS)
        monkeypatch.setattr(double_clicks, "write_all", write_late)
        thread = threading.Thread(target=updating.update, args=(["pages-agg"],))
        thread.start()
        assert is_read.wait(PATIENCE_SECONDS)
        act(other)
        clock.is_waiting.set()
        thread.join(PATIENCE_SECONDS)
        update(other)
        return other

    return do


def test_an_undo_waits_for_flags_that_are_being_set(
    beside_flags: Callable[..., Pipeline],
) -> None:
    """They are written with all of the event as it was read: it would be back."""
    pipeline = beside_flags(lambda other: other.moving.undo_import("first"))
    assert table(pipeline) == {}
    assert stored_events(pipeline, "visit") == []


def test_an_import_waits_for_flags_that_are_being_set(
    beside_flags: Callable[..., Pipeline],
) -> None:
    """That it brought the event as well would be forgotten, and the first import's undo take it."""
    pipeline = beside_flags(
        lambda other: other.moving.importing("second", "visit").take("file", CLICKS)
    )
    assert pipeline.moving.undo_import("first").removed == 0
    update(pipeline)
    assert table(pipeline) == {("2017-01-01", "a"): 1}
    assert len(stored_events(pipeline, "visit")) == len(CLICKS)
