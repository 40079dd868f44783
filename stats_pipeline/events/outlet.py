"""The outlet: messages leave the process by the queue, or else by the spool, and never wait twice.

The spool is a SQLite queue in a local file. What is there is sent later, by whichever process of
that file comes first; what that one holds meanwhile is in the spool until the queue has it. A queue
that did not take something is left alone for a while: only who empties the spool tries it, so that
nobody else waits for a broker that does not answer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import Literal

from stats_pipeline.errors import MessageRefused, QueueError
from stats_pipeline.queues.protocol import Queue, Spool
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

#: How often somebody who waits for it looks whether another process has sent what it holds.
POLL_SECONDS = 0.1

Outcome = Literal["sent", "spooled"]


class Outlet:
    """Put messages into their queue, or else into the spool.

    Args:
        queue: where they belong.
        spool: takes what the queue does not take now; None where the queue is a local file itself.
    """

    def __init__(self, queue: Queue, spool: Spool | None) -> None:
        self._queue = queue
        self._spool = spool
        #: The queues that are left alone. Threads may change it at the same time.
        self._away: set[str] = set()

    @property
    def has_spool(self) -> bool:
        """Tell whether there is one."""
        return self._spool is not None

    def send(self, name: str, bodies: Sequence[bytes]) -> Outcome:
        """Put messages there; return when one of the two has all of them, and which.

        Raises QueueError where neither takes them.
        """
        if self._spool is not None and name in self._away:
            with suppress(QueueError):  # Then the queue has to be tried after all.
                return self._to_spool(self._spool, name, bodies)
        try:
            self._queue.publish(name, bodies)
        except QueueError as error:
            if self._spool is None:
                raise
            if isinstance(error, MessageRefused):
                # One of them is at fault: sent one by one from there, the others pass.
                logger.error("Events for %s go to the spool: %s", name, error)
            else:
                self._leave_alone(name, error)
            return self._to_spool(self._spool, name, bodies)
        self._away.discard(name)
        return "sent"

    def keep(self, name: str, bodies: Sequence[bytes]) -> None:
        """Put messages where they need no broker; raise QueueError where that takes nothing."""
        (self._spool or self._queue).publish(name, bodies)

    def resend(self, deadline: float = inf, *, is_patient: bool = False) -> bool:
        """Move what is spooled to the queue; tell whether nothing is left in the spool.

        Args:
            deadline: of the monotonic clock; a message that is under way then is the last one.
            is_patient: wait for what other processes are sending, until the deadline.
        """
        if self._spool is None:
            return True
        is_empty = True
        try:
            for name in self._spool.names():
                is_empty &= self._resend(self._spool, name, deadline, is_patient)
        except QueueError as error:
            logger.warning("The spool waits: %s", error)
            return False
        if is_empty:
            # Whoever comes next tries the queues again.
            self._away.clear()
        return is_empty

    def spooled(self) -> int:
        """Return how many messages wait in the spool."""
        if self._spool is None:
            return 0
        return sum(self._spool.depth(name) for name in self._spool.names())

    def _to_spool(self, spool: Spool, name: str, bodies: Sequence[bytes]) -> Outcome:
        spool.publish(name, bodies)
        return "spooled"

    def _resend(self, spool: Spool, name: str, deadline: float, is_patient: bool) -> bool:
        while self._resend_free(spool, name, deadline):
            if spool.is_empty(name):
                return True
            is_held = not spool.depth(name)
            if not (is_patient and is_held and time.monotonic() < deadline):
                return False
            time.sleep(POLL_SECONDS)
        return False

    def _resend_free(self, spool: Spool, name: str, deadline: float) -> bool:
        """Send what nobody holds; tell whether the queue takes messages."""
        with spool.consume(name) as consumer:
            while time.monotonic() < deadline and (message := consumer.take()):
                try:
                    self._queue.publish(name, [message.body])
                except MessageRefused as error:
                    # It stays, and the others go on.
                    logger.error("A message for %s stays in the spool: %s", name, error)
                except QueueError as error:
                    # What one queue does not take must not keep the events of others waiting.
                    self._leave_alone(name, error)
                    return False
                else:
                    self._away.discard(name)
                    consumer.acknowledge([message])
        return True

    def _leave_alone(self, name: str, error: QueueError) -> None:
        if name not in self._away:
            self._away.add(name)
            logger.warning("Events for %s go to the spool: %s", name, error, exc_info=error)
