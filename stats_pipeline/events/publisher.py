"""The publisher: from the host's thread to the queue, without making the host wait or lose.

`emit` puts an event into a bounded buffer and returns; a background thread sends what is there in
batches. What the queue does not take goes to the spool, a SQLite queue in a local file, and is sent
later by whichever process comes first. Sending twice is harmless, since events carry an identity.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from math import inf
from multiprocessing.util import Finalize

from stats_pipeline.errors import QueueError
from stats_pipeline.events.envelope import encode, pack, to_json
from stats_pipeline.model import Event
from stats_pipeline.queues.protocol import Queue, Spool

logger = logging.getLogger(__name__)

#: How long events wait for others to share a message with.
LINGER_SECONDS = 0.2

#: How often a process that spooled something tries to send it.
RESEND_SECONDS = 5.0

#: How long the end of a process waits for the queue before it spools the rest.
EXIT_SECONDS = 5.0

#: How long a fork waits for a batch that is under way; most of them take milliseconds.
FORK_WAIT_SECONDS = 2.0

#: The name of a queue, and an event for it, as JSON: the host may change its own dicts meanwhile.
Waiting = tuple[str, bytes]

_publishers: weakref.WeakSet[Publisher] = weakref.WeakSet()

#: What the thread that forks holds meanwhile.
_held: list[threading.Condition] = []


class _Process:
    """What a publisher has in one process: a buffer, and the thread that empties it."""

    def __init__(self) -> None:
        self.buffer: deque[Waiting] = deque()
        self.in_flight: list[Waiting] = []
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None
        self.is_closing = False


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
        self.forget()
        _publishers.add(self)
        _watch_process()

    def forget(self) -> None:
        """Begin without a buffer and a thread, as a forked child must."""
        # Made anew on first use: between a fork and that, gevent may replace locks and threads.
        self.__dict__.pop("_process", None)
        # Until it is known better: a process before this one may have left something there.
        self._may_be_spooled = self._spool is not None

    def _own(self) -> _Process:
        # One step, so that threads which come at the same time get the same.
        own: _Process = self.__dict__.setdefault("_process", _Process())
        return own

    def emit(self, queue_name: str, events: Sequence[Event]) -> None:
        """Take events for sending soon; return without a word to the broker.

        Raises QueueError only where the buffer is full and the spool takes nothing either.
        """
        waiting = [(queue_name, to_json(event)) for event in events]
        own = self._own()
        with own.changed:
            if not own.is_closing and len(own.buffer) + len(waiting) <= self._limit:
                own.buffer.extend(waiting)
                self._start(own)
                own.changed.notify_all()
                return
        self._to_spool(own, waiting)

    def publish(self, queue_name: str, events: Sequence[Event]) -> None:
        """Send events now; return when the queue, or else the spool, has all of them.

        Raises QueueError where neither takes them.
        """
        self._publish(self._own(), queue_name, encode(events))

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until the queue has all that this process emitted; tell whether it came to that."""
        deadline = time.monotonic() + timeout_seconds
        own = self._own()
        with own.changed:
            emptied = own.changed.wait_for(
                lambda: not own.buffer and not own.in_flight, timeout_seconds
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
            names = self._spool.names()
        except QueueError as error:
            logger.warning("The spool waits: %s", error)
            return False
        waiting = [name for name in names if not self._resend(self._spool, name, deadline)]
        return not waiting

    def spooled(self) -> int:
        """Return how many messages wait in the spool."""
        if self._spool is None:
            return 0
        return sum(self._spool.depth(name) for name in self._spool.names())

    def close(self) -> None:
        """Send or spool what is in the buffer and end the background thread."""
        own = self._own()
        self.flush(EXIT_SECONDS)
        with own.changed:
            own.is_closing = True
            own.changed.notify_all()
            thread = own.thread
        if thread is not None:
            thread.join(EXIT_SECONDS)
        # A thread that still waits for the broker ends with the process, and its batch with it.
        self._to_spool(own, [*own.in_flight, *own.buffer])
        self.forget()

    def hold(self, *, timeout_seconds: float) -> threading.Condition:
        """Keep batches from being sent, at best between two of them; return what to release."""
        own = self._own()
        own.changed.acquire()
        own.changed.wait_for(lambda: not own.in_flight, timeout_seconds)
        return own.changed

    def _start(self, own: _Process) -> None:
        if own.thread is None:
            own.thread = threading.Thread(
                target=self._run, args=(own,), name="stats-publisher", daemon=True
            )
            own.thread.start()
            if multiprocessing.parent_process() is not None:
                # Such a child, where it was forked, ends without Python's exit handlers.
                Finalize(None, close_all, exitpriority=0)

    def _run(self, own: _Process) -> None:
        while True:
            with own.changed:
                self._wait_for_work(own)
                if own.is_closing:
                    return
                # Not a sleep: closing must not have to wait for it.
                own.changed.wait_for(lambda: own.is_closing, LINGER_SECONDS)
                own.in_flight = list(own.buffer)
                own.buffer.clear()
            self._send(own)
            if self._may_be_spooled:
                # Before it is tried: another thread may spool something meanwhile.
                self._may_be_spooled = False
                if not self.resend():
                    self._may_be_spooled = True
            with own.changed:
                own.in_flight = []
                own.changed.notify_all()

    def _wait_for_work(self, own: _Process) -> None:
        if self._may_be_spooled:
            own.changed.wait_for(lambda: own.buffer or own.is_closing, RESEND_SECONDS)
        else:
            own.changed.wait_for(lambda: own.buffer or own.is_closing or self._may_be_spooled)

    def _send(self, own: _Process) -> None:
        for name, events in _by_queue(own.in_flight).items():
            try:
                self._publish(own, name, pack(events))
            except Exception:
                logger.exception("LOST: %d events for %s", len(events), name)

    def _publish(self, own: _Process, name: str, bodies: Sequence[bytes]) -> None:
        try:
            self._queue.publish(name, bodies)
        except QueueError as error:
            if self._spool is None:
                raise
            logger.warning("Events for %s go to the spool: %s", name, error)
            self._spool.publish(name, bodies)
            self._resend_soon(own)

    def _to_spool(self, own: _Process, waiting: Sequence[Waiting]) -> None:
        target = self._queue if self._spool is None else self._spool
        for name, events in _by_queue(waiting).items():
            target.publish(name, pack(events))
        self._resend_soon(own)

    def _resend_soon(self, own: _Process) -> None:
        with own.changed:
            if self._spool is not None and not own.is_closing:
                self._may_be_spooled = True
                self._start(own)
                own.changed.notify_all()

    def _resend(self, spool: Spool, name: str, deadline: float) -> bool:
        # What one queue does not take must not keep the events of others waiting.
        try:
            with spool.consume(name) as consumer:
                while time.monotonic() < deadline and (message := consumer.take()):
                    self._queue.publish(name, [message.body])
                    consumer.acknowledge([message])
            return spool.depth(name) == 0
        except QueueError as error:
            logger.warning("The spool of %s waits: %s", name, error)
            return False


def _by_queue(batch: Sequence[Waiting]) -> dict[str, list[bytes]]:
    events: dict[str, list[bytes]] = {}
    for name, event in batch:
        events.setdefault(name, []).append(event)
    return events


def close_all() -> None:
    """Send or spool what this process has in its buffers; to be called where it ends."""
    for publisher in list(_publishers):
        try:
            publisher.close()
        except Exception:
            logger.exception("LOST: what was still in the buffer at exit")


def _before_fork() -> None:
    # What is under way is ended first. Threads don't live on in a child, but the greenlets that
    # gevent makes of them do, and would go on with the parent's batch on the parent's connection.
    deadline = time.monotonic() + FORK_WAIT_SECONDS
    # In one order, so that two threads which fork don't wait for each other.
    _held.extend(
        publisher.hold(timeout_seconds=max(0.0, deadline - time.monotonic()))
        for publisher in sorted(_publishers, key=id)
    )


def _after_fork_in_parent() -> None:
    held = list(_held)
    _held.clear()
    for changed in held:
        changed.release()


def _after_fork_in_child() -> None:
    # The parent sends what it has. What is held is never released here: that keeps inherited
    # greenlets from it for ever.
    _held.clear()
    for publisher in _publishers:
        publisher.forget()


@lru_cache(maxsize=1)
def _watch_process() -> None:
    """Be called where this process forks or ends; once, with the first publisher.

    By then its queue and spool have registered their own hooks. The last one registered runs first
    before a fork, and when SQLite's has run, no batch can be ended any more.
    """
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
    atexit.register(close_all)
