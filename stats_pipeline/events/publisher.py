"""The publisher: from the host's thread to the queue, without making the host wait or lose.

`emit` puts an event into a bounded buffer and returns; a background thread sends what is there in
batches. What the queue does not take goes to the spool, a SQLite queue in a local file, and is sent
later by whichever process comes first. Sending twice is harmless, since events carry an identity.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from math import inf

from stats_pipeline.errors import QueueError
from stats_pipeline.events.envelope import encode
from stats_pipeline.model import Event
from stats_pipeline.queues.protocol import Queue, Spool

logger = logging.getLogger(__name__)

#: How long events wait for others to share a message with.
LINGER_SECONDS = 0.2

#: How often a process that spooled something tries to send it.
RESEND_SECONDS = 5.0

#: How long the end of a process waits for the queue before it spools the rest.
EXIT_SECONDS = 5.0

_publishers: weakref.WeakSet[Publisher] = weakref.WeakSet()


class Publisher:
    """Send events to their queues.

    Args:
        queue: where they belong.
        spool: takes what the queue does not take now; None where the queue is a local file itself.
        buffer_events: how many events wait in memory at most; more go to the spool at once.
    """

    def __init__(self, queue: Queue, spool: Spool | None, *, buffer_events: int) -> None:
        self._queue = queue
        self._spool = spool
        self._limit = buffer_events
        self._reset()
        _publishers.add(self)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._buffer: deque[tuple[str, Event]] = deque()
        self._in_flight: list[tuple[str, Event]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        # Until it is known better: a process before this one may have left something there.
        self._may_be_spooled = self._spool is not None

    def emit(self, queue_name: str, events: Sequence[Event]) -> None:
        """Take events for sending soon; return without a word to the broker.

        Raises QueueError only where the buffer is full and the spool takes nothing either.
        """
        with self._changed:
            if len(self._buffer) + len(events) <= self._limit:
                self._buffer.extend((queue_name, event) for event in events)
                self._start()
                self._changed.notify_all()
                return
        self._to_spool(queue_name, events)

    def publish(self, queue_name: str, events: Sequence[Event]) -> None:
        """Send events now; return when the queue, or else the spool, has all of them.

        Raises QueueError where neither takes them.
        """
        bodies = encode(events)
        try:
            self._queue.publish(queue_name, bodies)
        except QueueError as error:
            if self._spool is None:
                raise
            logger.warning("Events for %s go to the spool: %s", queue_name, error)
            self._spool.publish(queue_name, bodies)
            with self._changed:
                self._may_be_spooled = True
                self._start()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until the queue has all that this process emitted; tell whether it came to that."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            emptied = self._changed.wait_for(
                lambda: not self._buffer and not self._in_flight, timeout_seconds
            )
        return emptied and self.resend(deadline)

    def resend(self, deadline: float = inf) -> bool:
        """Move what is spooled to the queue; tell whether nothing is left in the spool.

        Args:
            deadline: of the monotonic clock; a message that is under way then is the last one.
        """
        if self._spool is None:
            return True
        try:
            return all(self._resend(self._spool, name, deadline) for name in self._spool.names())
        except QueueError as error:
            logger.warning("The spool waits: %s", error)
            return False

    def spooled(self) -> int:
        """Return how many messages wait in the spool."""
        if self._spool is None:
            return 0
        return sum(self._spool.depth(name) for name in self._spool.names())

    def close(self) -> None:
        """Send or spool what is in the buffer and end the background thread."""
        if self._pid != os.getpid():
            return
        self.flush(EXIT_SECONDS)
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(EXIT_SECONDS)
        # A thread that still waits for the broker ends with the process, and its batch with it.
        for name, events in _by_queue([*self._in_flight, *self._buffer]).items():
            self._to_spool(name, events)
        self._reset()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stats-publisher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._buffer or self._is_closing,
                    RESEND_SECONDS if self._may_be_spooled else None,
                )
                if self._is_closing:
                    return
                # Not a sleep: closing must not have to wait for it.
                self._changed.wait_for(lambda: self._is_closing, LINGER_SECONDS)
                self._in_flight = list(self._buffer)
                self._buffer.clear()
            self._send(self._in_flight)
            if self._may_be_spooled:
                self._may_be_spooled = not self.resend()
            with self._changed:
                if self._thread is not threading.current_thread():
                    return  # Closed meanwhile, by one that did not wait any longer.
                self._in_flight = []
                self._changed.notify_all()

    def _send(self, batch: Sequence[tuple[str, Event]]) -> None:
        for name, events in _by_queue(batch).items():
            try:
                self.publish(name, events)
            except Exception:
                logger.exception("LOST: %d events for %s", len(events), name)

    def _to_spool(self, name: str, events: Sequence[Event]) -> None:
        target = self._queue if self._spool is None else self._spool
        target.publish(name, encode(events))

    def _resend(self, spool: Spool, name: str, deadline: float) -> bool:
        with spool.consume(name) as consumer:
            while time.monotonic() < deadline and (message := consumer.take()):
                self._queue.publish(name, [message.body])
                consumer.acknowledge([message])
        return spool.depth(name) == 0

    def _forget(self) -> None:
        # In a forked child: the parent still has these events and its thread, the child has not.
        self._reset()


def _by_queue(batch: Sequence[tuple[str, Event]]) -> dict[str, list[Event]]:
    events: dict[str, list[Event]] = {}
    for name, event in batch:
        events.setdefault(name, []).append(event)
    return events


def _after_fork() -> None:
    for publisher in list(_publishers):
        publisher._forget()  # noqa: SLF001


def close_all() -> None:
    """Send or spool what this process has in its buffers; to be called where it ends."""
    for publisher in list(_publishers):
        try:
            publisher.close()
        except Exception:
            logger.exception("LOST: what was still in the buffer at exit")


os.register_at_fork(after_in_child=_after_fork)
atexit.register(close_all)
