"""Double clicks by the sliding rule: flag the events that another click follows in the window.

Events carry `click_key`, and at the beginning of a salt window `previous_click_key`, the key under
the salt before. Read in the order of (key, time), an event's next click is the next entry of its
key; the entries of previous keys only serve as such next clicks. Robots and people are looked at
apart, since aggregations leave robots out. Exactly the window is inside of it (COUNTER).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from heapq import merge
from itertools import islice

from stats_pipeline.clock import Clock, parse_time
from stats_pipeline.intervals import Period
from stats_pipeline.model import Filter
from stats_pipeline.stores.protocol import Document, Put, Snapshot, Store
from stats_pipeline.stores.writing import write_all

#: Flags in one bulk.
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Click:
    """Be an entry in the order of (key, time): an event under one of its keys."""

    key: str
    document: Document
    is_next_only: bool

    @property
    def place(self) -> tuple[str, str, str]:
        """Return what entries are sorted by; of two clicks at one time either may be the later."""
        return self.key, self.document.body["timestamp"], self.document.body["event_id"]


def set_flags(
    store: Store,
    events: Snapshot,
    period: Period,
    *,
    window: timedelta,
    clock: Clock,
    check: Callable[[], None],
) -> int:
    """Write `is_double_click` where it is not what it should be; return how often.

    A flag is written over the very version that was read: a correction that comes meanwhile stays,
    and its mark makes the interval dirty again.

    Args:
        store: where the events are.
        events: shows the period and one window more.
        period: whose events are judged.
        window: within which another click makes the one before a double click.
        clock: for waiting between tries.
        check: called before each write; raises where this run may not write.
    """
    wrong = wrong_flags(events, period, window)
    written = 0
    while documents := list(islice(wrong, BATCH)):
        check()
        turned = [_turned(document) for document in documents]
        write_all(store, turned, clock, what="the flag of a click")
        written += len(documents)
    return written


def wrong_flags(events: Snapshot, period: Period, window: timedelta) -> Iterator[Document]:
    """Yield the events of the period whose `is_double_click` is not what it should be."""
    for is_robot in (False, True):
        click: Click | None = None
        for following in _clicks(events, Period(period.start, period.end + window), is_robot):
            if click is not None:
                yield from _if_wrong(click, following, period, window)
            click = following
        if click is not None:
            yield from _if_wrong(click, None, period, window)


def _clicks(events: Snapshot, period: Period, is_robot: bool) -> Iterator[Click]:
    where = Filter().between("timestamp", period.start, period.end)
    where = where.where("withdrawn", exclude=[True])
    where = where.where("is_robot", [True]) if is_robot else where.where("is_robot", None, [True])
    own = _entries(events, where, "click_key", is_next_only=False)
    next_only = _entries(events, where, "previous_click_key", is_next_only=True)
    return merge(own, next_only, key=lambda click: click.place)


def _entries(events: Snapshot, where: Filter, key: str, *, is_next_only: bool) -> Iterator[Click]:
    for document in events.scan(where.between(key), [key, "timestamp", "event_id"]):
        yield Click(document.body[key], document, is_next_only)


def _if_wrong(
    click: Click, following: Click | None, period: Period, window: timedelta
) -> Iterator[Document]:
    body = click.document.body
    timestamp = parse_time(body["timestamp"])
    if click.is_next_only or timestamp not in period:
        return
    is_double = (
        following is not None
        and following.key == click.key
        and parse_time(following.document.body["timestamp"]) - timestamp <= window
    )
    if bool(body.get("is_double_click")) is not is_double:
        yield click.document


def _turned(document: Document) -> Put:
    body = {**document.body, "is_double_click": not document.body.get("is_double_click")}
    return Put(document.index, document.id, body, document.version, is_same=True)
