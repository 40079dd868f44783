"""The buffer: what a publisher has in memory in one process, and the thread that empties it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence

from stats_pipeline.events.messages import Numbering, Outgoing

#: Of what waits in memory, in JSON; as many events as may wait are usually a tenth of it. What is
#: sent has it twice.
BUFFER_BYTES = 50_000_000

#: The name of a queue, and an event for it, as JSON: the host may change its own dicts meanwhile.
Waiting = tuple[str, bytes]


class Buffer:
    """Hold events until they are sent.

    Attributes:
        numbering: of the messages of this process.
        waiting: events that are in no message yet.
        in_flight: what is being sent.
        kept: what neither queue nor spool took.
        changed: is held by who changes any of it, and notified afterwards.
        thread: sends what is here; None before the first event.
        is_sending: whether a batch is under way.
        is_asked: whether somebody waits for it to be empty.
        is_closing: whether nothing more comes.

    Args:
        limit_events: how many events wait in memory at most.
    """

    def __init__(self, limit_events: int) -> None:
        self.numbering = Numbering()
        self.waiting: deque[Waiting] = deque()
        self.in_flight: list[Outgoing] = []
        self.kept: list[Outgoing] = []
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None
        self.is_sending = False
        self.is_asked = False
        self.is_closing = False
        self._limit_events = limit_events
        self._waiting_bytes = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits and nothing is under way."""
        return not (self.waiting or self.in_flight or self.kept or self.is_sending)

    def take(self, events: Sequence[Waiting]) -> bool:
        """Let these events wait, if there is room for them; tell whether there is."""
        size_bytes = sum(len(event) for _, event in events)
        if not self._has_room(len(events), size_bytes):
            return False
        self.waiting.extend(events)
        self._waiting_bytes += size_bytes
        return True

    def keep(self, messages: Sequence[Outgoing]) -> bool:
        """Let messages wait that nobody took, if there is room; tell whether there is."""
        events = sum(message.events for message in messages)
        if not self._has_room(events, sum(len(message.body) for message in messages)):
            return False
        self.kept += messages
        return True

    def begin(self) -> list[Outgoing]:
        """Let all that waits be under way, and return it."""
        self.in_flight = self._emptied()
        self.is_sending, self.is_asked = True, False
        return self.in_flight

    def end(self, kept: Sequence[Outgoing]) -> None:
        """Note that nothing is under way any more, and what of it stays here."""
        self.kept += kept
        self.in_flight, self.is_sending = [], False

    def rest(self) -> list[Outgoing]:
        """Return all that is here, as nobody will send it from here any more."""
        return [*self.in_flight, *self._emptied()]

    def numbered(self, events: Iterable[Waiting]) -> list[Outgoing]:
        """Return messages that hold these events, queue by queue."""
        queues: dict[str, list[bytes]] = {}
        for name, event in events:
            queues.setdefault(name, []).append(event)
        return [m for name, events in queues.items() for m in self.numbering.number(name, events)]

    def _emptied(self) -> list[Outgoing]:
        messages = [*self.kept, *self.numbered(self.waiting)]
        self.kept = []
        self.waiting.clear()
        self._waiting_bytes = 0
        return messages

    def _has_room(self, events: int, size_bytes: int) -> bool:
        messages = [*self.in_flight, *self.kept]
        events += len(self.waiting) + sum(message.events for message in messages)
        size_bytes += self._waiting_bytes + sum(len(message.body) for message in messages)
        return events <= self._limit_events and size_bytes <= BUFFER_BYTES
