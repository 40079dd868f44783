"""The buffer: what a publisher has in memory in one process, and the thread that empties it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from stats_pipeline.events.messages import Numbering, Outgoing

#: The name of a queue, and an event for it, as JSON: the host may change its own dicts meanwhile.
Waiting = tuple[str, bytes]


class Buffer:
    """Hold events until they are sent.

    Attributes:
        numbering: of the messages of this process.
        waiting: events that are in no message yet.
        in_flight: what is being sent, and what neither queue nor spool took before.
        changed: is held by who changes any of it, and notified afterwards.
        thread: sends what is here; None before the first event.
        is_sending: whether a batch is under way.
        is_asked: whether somebody waits for it to be empty.
        is_closing: whether nothing more comes.
    """

    def __init__(self) -> None:
        self.numbering = Numbering()
        self.waiting: deque[Waiting] = deque()
        self.in_flight: list[Outgoing] = []
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None
        self.is_sending = False
        self.is_asked = False
        self.is_closing = False

    @property
    def events(self) -> int:
        """Return how many events are in memory."""
        return len(self.waiting) + sum(message.events for message in self.in_flight)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits and nothing is under way."""
        return not (self.waiting or self.in_flight or self.is_sending)

    def numbered(self, waiting: Iterable[Waiting]) -> list[Outgoing]:
        """Return messages that hold these events, queue by queue."""
        queues: dict[str, list[bytes]] = {}
        for name, event in waiting:
            queues.setdefault(name, []).append(event)
        return [m for name, events in queues.items() for m in self.numbering.number(name, events)]
