"""The publisher: from the host's thread to the queue, without making the host wait or lose.

`emit` puts an event into a bounded buffer and returns; a background thread sends what is there in
batches. What the queue does not take goes to the spool (see `outlet`). What neither takes stays in
memory and is tried again; only what comes when the buffer is full by then is lost, which is
counted, logged and reported in later messages. Sending twice is harmless, since events carry an
identity.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from math import inf
from multiprocessing.util import Finalize

from stats_pipeline.errors import QueueError
from stats_pipeline.events import lifetime
from stats_pipeline.events.buffer import Buffer
from stats_pipeline.events.envelope import to_json
from stats_pipeline.events.messages import Outgoing, by_queue
from stats_pipeline.events.outlet import Outlet
from stats_pipeline.model import Event
from stats_pipeline.queues.protocol import Queue, Spool
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

#: How long events wait for others to share a message with.
LINGER_SECONDS = 0.2

#: How often a process that spooled something, or has to keep it in memory, tries to send it.
RESEND_SECONDS = 5.0

#: How often a process that has spooled nothing looks whether another one, which has ended, left
#: something there.
LOOK_SECONDS = 60.0

#: How long the end of a process waits for the queue before it spools the rest.
EXIT_SECONDS = 5.0


class Publisher:
    """Send events to their queues.

    Args:
        queue: where they belong.
        spool: takes what the queue does not take now; None where the queue is a local file itself.
        buffer_events: how many events wait in memory at most; more go to the spool at once.
    """

    def __init__(self, queue: Queue, spool: Spool | None, *, buffer_events: int) -> None:
        self._outlet = Outlet(queue, spool)
        self._limit = buffer_events
        self.forget()
        lifetime.watch(self)

    def forget(self) -> None:
        """Begin without a buffer and a thread, as a forked child must."""
        # Made anew on first use: between a fork and that, gevent may replace locks and threads.
        self.__dict__.pop("_buffer", None)
        # Until it is known better: a process before this one may have left something there.
        self._may_be_spooled = self._outlet.has_spool
        self._looked_at = time.monotonic()
        #: How many events of this process were `sent`, `spooled`, `refused` (the caller was told)
        #: or `lost`: at least so many, since threads count at the same time.
        self.counts: Counter[str] = Counter()

    def _own(self) -> Buffer:
        # One step, so that threads which come at the same time get the same.
        own: Buffer = self.__dict__.get("_buffer") or self.__dict__.setdefault(
            "_buffer", Buffer(self._limit)
        )
        return own

    def emit(self, queue_name: str, events: Sequence[Event]) -> None:
        """Take events for sending soon; return without a word to the broker.

        Where the buffer is full and the spool takes nothing either, they are lost: that is logged,
        counted and reported to the workers.
        """
        waiting = [(queue_name, to_json(event)) for event in events]
        own = self._own()
        if not self._wait_in_memory(own, lambda: own.take(waiting)):
            self._keep(own, own.numbered(waiting))

    def publish(self, queue_name: str, events: Sequence[Event]) -> None:
        """Send events now; return when the queue, or else the spool, has all of them.

        Raises QueueError where neither takes them.
        """
        own = self._own()
        messages = own.numbering.number(queue_name, map(to_json, events))
        try:
            self._send(own, messages)
        except BaseException:
            own.numbering.give_up(messages, is_lost=False)
            self.counts["refused"] += len(events)
            raise

    def confirm(self, queue_name: str, events: Sequence[Event]) -> None:
        """Send events of a signal now, as `publish` does; what nobody takes waits in memory."""
        own = self._own()
        messages = own.numbering.number(queue_name, map(to_json, events))
        try:
            self._send(own, messages)
        except QueueError as error:
            # Better there than nowhere: the host can do nothing about it.
            logger.error(
                "NOT CONFIRMED: %d events for %s wait in memory: %s",
                len(events),
                queue_name,
                error,
            )
            if not self._wait_in_memory(own, lambda: own.keep(messages)):
                self._keep(own, messages)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until the queue has all that this process emitted; tell whether it came to that.

        Where processes share a spool, that is all that is in it, since nobody knows whose it is.
        """
        deadline = time.monotonic() + timeout_seconds
        own = self._own()
        with own.changed:
            own.is_asked = True
            own.changed.notify_all()
            emptied = own.changed.wait_for(lambda: own.is_empty, timeout_seconds)
        return emptied and self._outlet.resend(deadline, is_patient=True)

    def resend(self, deadline: float = inf) -> bool:
        """Move what is spooled to the queue (see `Outlet.resend`)."""
        return self._outlet.resend(deadline)

    def spooled(self) -> int:
        """Return how many messages wait in the spool."""
        return self._outlet.spooled()

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
        if self._keep(own, own.rest()):
            # No later message says what was given up before.
            self._keep(own, own.numbering.reporting())
        self.forget()

    def hold(self, *, timeout_seconds: float) -> threading.Condition:
        """Keep batches from being sent, at best between two of them; return what to release."""
        own = self._own()
        own.changed.acquire()
        own.changed.wait_for(lambda: not own.is_sending, timeout_seconds)
        return own.changed

    def _wait_in_memory(self, own: Buffer, take: Callable[[], bool]) -> bool:
        """Let something wait for the background thread; tell whether it may."""
        with own.changed:
            # At the end of the process, no thread would come to it.
            if own.is_closing or lifetime.is_ending() or not take():
                return False
            self._start(own)
            own.changed.notify_all()
            return True

    def _start(self, own: Buffer) -> None:
        if own.thread is None:
            thread = threading.Thread(
                target=self._run, args=(own,), name="stats-publisher", daemon=True
            )
            thread.start()
            # Not before: where the system has no room for a thread, the next event tries again.
            own.thread = thread
            if multiprocessing.parent_process() is not None:
                # Such a child, where it was forked, ends without Python's exit handlers.
                Finalize(None, lifetime.close_all, exitpriority=0)

    def _run(self, own: Buffer) -> None:
        while True:
            with own.changed:
                self._wait_for_work(own)
                if own.is_closing:
                    return
                # Not a sleep: closing must not have to wait for it.
                own.changed.wait_for(lambda: own.is_closing, LINGER_SECONDS)
                batch = own.begin()
            kept: Sequence[Outgoing] = batch
            try:
                kept = self._send_batch(own, batch)
            except Exception:
                logger.exception("Events wait in memory")  # The thread must not end by it.
            with own.changed:
                own.end(kept)
                own.changed.notify_all()

    def _send_batch(self, own: Buffer, batch: Sequence[Outgoing]) -> list[Outgoing]:
        """Send these messages, and some that are spooled; return what has to stay in memory."""
        # What was given up is told at once, since perhaps no event follows.
        kept = self._send_each(own, batch) or self._send_each(own, own.numbering.reporting())
        if self._may_be_spooled or self._is_to_look:
            self._looked_at = time.monotonic()
            # Before it is tried: another thread may spool something meanwhile.
            self._may_be_spooled = False
            # Not for longer: what is emitted meanwhile is in memory only.
            if not self.resend(time.monotonic() + RESEND_SECONDS):
                self._may_be_spooled = True
        return kept

    @property
    def _is_to_look(self) -> bool:
        return self._outlet.has_spool and time.monotonic() - self._looked_at >= LOOK_SECONDS

    def _wait_for_work(self, own: Buffer) -> None:
        if own.kept:
            own.changed.wait_for(lambda: own.is_asked or own.is_closing, RESEND_SECONDS)
            return
        is_known = self._may_be_spooled
        own.changed.wait_for(
            lambda: (
                own.waiting or own.kept or own.is_closing or (not is_known and self._may_be_spooled)
            ),
            RESEND_SECONDS if is_known else LOOK_SECONDS if self._outlet.has_spool else None,
        )

    def _send_each(self, own: Buffer, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Send these messages, queue by queue; return what has to stay in memory."""
        kept: list[Outgoing] = []
        for name, messages in by_queue(outgoing).items():
            try:
                self._send(own, messages)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be lost by it
                kept += messages
                logger.error(
                    "%d events for %s wait in memory, since neither queue nor spool takes them: %r",
                    sum(message.events for message in messages),
                    name,
                    error,
                )
        return kept

    def _send(self, own: Buffer, messages: Sequence[Outgoing]) -> None:
        """Put messages for one queue there, else into the spool; raise where neither takes them."""
        if not messages:
            return
        bodies = [message.body for message in messages]
        outcome = self._outlet.send(messages[0].queue_name, bodies)
        own.numbering.confirm(messages)
        self.counts[outcome] += sum(message.events for message in messages)
        if outcome == "spooled":
            self._resend_soon(own)

    def _keep(self, own: Buffer, messages: Sequence[Outgoing]) -> bool:
        """Put messages for which memory has no room where they need no broker; else lose them.

        Tells whether none is lost.
        """
        is_whole = True
        for name, group in by_queue(messages).items():
            count = sum(message.events for message in group)
            try:
                self._outlet.keep(name, [message.body for message in group])
            except QueueError as error:
                own.numbering.give_up(group, is_lost=True)
                self.counts["lost"] += count
                logger.error("LOST: %d events for %s: %s", count, name, error)
                is_whole = False
            else:
                own.numbering.confirm(group)
                self.counts["spooled"] += count
        self._resend_soon(own)
        return is_whole

    def _resend_soon(self, own: Buffer) -> None:
        with own.changed:
            if self._outlet.has_spool and not own.is_closing and not lifetime.is_ending():
                self._may_be_spooled = True
                self._start(own)
                own.changed.notify_all()
