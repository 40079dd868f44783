"""Messages: batches of events as they travel, numbered by whoever sends them.

The numbers of one publisher for one queue have no holes, so a message that got lost on its way is
noticed by the hole that it leaves (see `stats_pipeline.events.ledger`). Each message also says up
to which number all were settled when it was made: a hole behind that is one of a process that ended
while it sent several, and had told nobody that they were taken.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import uuid4

from stats_pipeline.events.envelope import DEEPEST_NESTING, is_deeper

#: Events per message: large enough to be cheap, small enough that a redelivery is as well.
EVENTS_PER_MESSAGE = 500

#: Of one message, but for a single event that is larger. A worker holds hundreds of them.
MESSAGE_BYTES = 250_000

#: A larger message is a stranger's: ours have `MESSAGE_BYTES` or one event, and a short head.
LARGEST_MESSAGE_BYTES = 4_000_000

#: Of a publisher's name, in UTF-8: stores take ids of 512. What is longer is a stranger's.
LONGEST_PUBLISHER_BYTES = 300

#: More is a stranger's, and none of it an event: so many would not fit into a message.
MOST_EVENTS = 100_000

#: Given-up messages that one message reports; those behind them are left to the next one.
REPORTED_AT_ONCE = 1_000

#: After so long without a message the next one is a new publisher's: the numbers before it may have
#: expired in the ledger, which would look like a hole. As long as the shortest grace period.
IDLE_SECONDS = 24 * 60 * 60

#: Given-up messages that a process remembers. Of those before them only the hole is left.
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Be a message that its publisher could send nowhere.

    Attributes:
        sequence: its number.
        events: how many it held.
        is_lost: whether nobody was told; else `publish` has raised and the caller knows.
    """

    sequence: int
    events: int
    is_lost: bool


@dataclass(frozen=True, slots=True)
class Received:
    """Be a message as a worker reads it; one of a stranger has neither publisher nor number.

    Attributes:
        events: of it.
        publisher: who sent it.
        sequence: its number.
        settled: up to this number all were taken or given up when it was made.
        given_up: the messages that it reports.
    """

    events: list[Any]
    publisher: str = ""
    sequence: int = 0
    settled: int = 0
    given_up: tuple[GivenUp, ...] = ()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Be a message that is to be sent: its queue, its number, how many events, its bytes."""

    queue_name: str
    sequence: int
    events: int
    body: bytes
    reports: tuple[GivenUp, ...] = ()


def _new_name() -> str:
    # Says where to look when something is missing.
    return f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex}"


@dataclass(slots=True)
class _Series:
    """Be the numbers of one publisher: its name, the last number, and when that was given.

    `open` are the numbers that were given and are neither taken nor given up.
    """

    publisher: str = field(default_factory=_new_name)
    last: int = 0
    used_at: float = field(default_factory=time.monotonic)
    open: set[int] = field(default_factory=set)


class Numbering:
    """Number the messages of one process, for each queue from 1 on.

    What was given up is reported in the messages that follow, until one of them is confirmed.
    """

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self._given_up: dict[str, deque[GivenUp]] = {}
        self._lock = threading.Lock()

    def number(self, queue_name: str, events: Iterable[bytes]) -> list[Outgoing]:
        """Return messages that hold these events (each as `to_json` returned it), in order."""
        with self._lock:
            return self._number(queue_name, _in_batches(events))

    def reporting(self) -> list[Outgoing]:
        """Return messages without events that say what is still to be reported."""
        with self._lock:
            names = [name for name, given_up in self._given_up.items() if given_up]
            return [message for name in names for message in self._number(name, [[]])]

    def confirm(self, messages: Sequence[Outgoing]) -> None:
        """Note that these messages are on their way, and with them what they report."""
        reported = {(m.queue_name, report) for m in messages for report in m.reports}
        with self._lock:
            self._settle(messages)
            for name in {name for name, _ in reported}:
                left = [g for g in self._given_up[name] if (name, g) not in reported]
                self._given_up[name] = deque(left, REMEMBERED)

    def give_up(self, messages: Sequence[Outgoing], *, is_lost: bool) -> None:
        """Note that these messages can be sent nowhere."""
        with self._lock:
            self._settle(messages)
            for message in messages:
                known = self._given_up.setdefault(message.queue_name, deque(maxlen=REMEMBERED))
                known.append(GivenUp(message.sequence, message.events, is_lost))

    def _number(self, queue_name: str, batches: Iterable[Sequence[bytes]]) -> list[Outgoing]:
        reports = tuple(islice(self._given_up.get(queue_name, ()), REPORTED_AT_ONCE))
        messages = []
        for batch in batches:
            series = self._used(queue_name, is_bound=bool(reports))
            head: dict[str, Any] = {
                "publisher": series.publisher,
                "sequence": series.last,
                "settled": min(series.open) - 1,
            }
            if reports:
                head |= {"given_up": [[g.sequence, g.events, g.is_lost] for g in reports]}
            body = b'%b, "events": [%b]}' % (json.dumps(head).encode()[:-1], b", ".join(batch))
            messages.append(Outgoing(queue_name, series.last, len(batch), body, reports))
            reports = ()
        return messages

    def _used(self, queue_name: str, *, is_bound: bool) -> _Series:
        """Return the series that the next message belongs to, with its number as the last one.

        What is reported, or still open, is bound to the name under which it was numbered.
        """
        now = time.monotonic()
        series = self._series.get(queue_name)
        is_bound = is_bound or bool(series and series.open)
        if series is None or (now - series.used_at >= IDLE_SECONDS and not is_bound):
            series = self._series[queue_name] = _Series()
        series.last += 1
        series.open.add(series.last)
        series.used_at = now
        return series

    def _settle(self, messages: Iterable[Outgoing]) -> None:
        for message in messages:
            self._series[message.queue_name].open.discard(message.sequence)


def by_queue(messages: Iterable[Outgoing]) -> dict[str, list[Outgoing]]:
    """Return the messages of each queue, by its name."""
    queues: dict[str, list[Outgoing]] = {}
    for message in messages:
        queues.setdefault(message.queue_name, []).append(message)
    return queues


def decode(body: bytes) -> Received:
    """Return what a message holds; raise ValueError where it is no message of ours."""
    if len(body) > LARGEST_MESSAGE_BYTES:
        raise ValueError(
            f"the message has {len(body):,} bytes; more than {LARGEST_MESSAGE_BYTES:,} are not read"
        )
    try:
        message = json.loads(body)
    except RecursionError:
        raise ValueError("the message is nested too deeply") from None
    events = message.get("events") if isinstance(message, dict) else None
    if not isinstance(events, list):
        raise ValueError('expected {"events": [...]}')
    if len(events) > MOST_EVENTS:
        raise ValueError(f"the message has more than {MOST_EVENTS:,} events")
    if is_deeper(events, 1 + DEEPEST_NESTING):
        raise ValueError("the message is nested too deeply")
    publisher, sequence = message.get("publisher"), message.get("sequence")
    if not _is_name(publisher) or not _is_count(sequence):
        return Received(events)
    settled = message.get("settled")
    return Received(
        events,
        publisher,
        sequence,
        # A version before this one did not say it: all that came before.
        settled if type(settled) is int and 0 <= settled < sequence else sequence - 1,
        tuple(_given_up(message.get("given_up"))),
    )


def _in_batches(events: Iterable[bytes]) -> list[list[bytes]]:
    batches: list[list[bytes]] = []
    size_bytes = 0
    for event in events:
        size_bytes += len(event)
        is_full = bool(batches) and len(batches[-1]) == EVENTS_PER_MESSAGE
        if not batches or is_full or size_bytes > MESSAGE_BYTES:
            batches.append([])
            size_bytes = len(event)
        batches[-1].append(event)
    return batches


def _given_up(value: object) -> Iterator[GivenUp]:
    for entry in value[:REPORTED_AT_ONCE] if isinstance(value, list) else ():
        if isinstance(entry, list) and len(entry) == 3 and all(map(_is_count, entry[:2])):
            yield GivenUp(entry[0], entry[1], bool(entry[2]))


def _is_name(value: object) -> bool:
    # It becomes a part of an id: a lone surrogate, which is not printable, can't be stored.
    return (
        isinstance(value, str)
        and value.isprintable()
        and 0 < len(value.encode()) <= LONGEST_PUBLISHER_BYTES
    )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 2**53
