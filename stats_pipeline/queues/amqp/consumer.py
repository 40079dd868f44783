"""A consumer: one channel that the broker sends messages on, up to a number that are held."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from math import inf
from typing import Any

from stats_pipeline.errors import QueueError
from stats_pipeline.queues.amqp.errors import translated
from stats_pipeline.queues.protocol import Message

#: How many messages the broker sends before some are acknowledged.
MOST_HELD = 500

#: Until messages that wait in the queue, but don't come, are left to other consumers.
DELIVERY_SECONDS = 2


class AmqpConsumer:
    """Hold up to 500 messages of one queue (see `Consumer`).

    The broker sends them unasked, which is what quorum queues are made for: with a request for
    each message, the acknowledgements would go one by one, and wait in the channel where they are
    many.

    Args:
        channel: of py-amqp, and of nobody else.
        name: of the queue, which exists.
        server: for error messages.
    """

    def __init__(self, channel: Any, name: str, *, server: str) -> None:
        # Bodies are bytes, whatever encoding a stranger's message names.
        channel.auto_decode = False
        self._channel = channel
        self._name = name
        self._server = server
        self._arrived: deque[Any] = deque()
        self._held: set[int] = set()
        channel.basic_qos(prefetch_size=0, prefetch_count=MOST_HELD, a_global=False)
        self._tag = channel.basic_consume(name, callback=self._arrived.append)

    def take(self) -> Message | None:
        """Return the next message, None where the queue has none to give now."""
        if not self._arrived:
            with translated(self._server):
                self._wait_for_delivery()
        if not self._arrived:
            return None
        message = self._arrived.popleft()
        self._held.add(message.delivery_tag)
        # py-amqp gives an empty body as text.
        return Message(message.body or b"", message.delivery_tag)

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Remove these messages from the queue for good; durable when it returns.

        Raises:
            QueueUnavailable: the broker has closed the connection or does not answer, and will
                give these messages to somebody again.
        """
        acknowledged = {message.tag for message in messages}
        self._held -= acknowledged
        first_held = min(self._held, default=inf)
        together = {tag for tag in acknowledged if tag < first_held}
        with translated(self._server):
            if together:
                self._channel.basic_ack(max(together), multiple=True)
            for tag in acknowledged - together:
                self._channel.basic_ack(tag)
            self._wait_for_broker()

    def give_back(self) -> bool:
        """Let go of all messages and close the channel; tell whether the broker has heard it."""
        try:
            with translated(self._server):
                self._channel.basic_cancel(self._tag)
                # The end of the channel does this as well, but later than it is confirmed: the
                # next consumer might find nothing.
                self._channel.basic_recover(requeue=True)
                self._wait_for_broker()
                self._channel.close()
        except QueueError:
            return False
        return True

    def _wait_for_delivery(self) -> None:
        deadline = time.monotonic() + DELIVERY_SECONDS
        while len(self._held) < MOST_HELD and time.monotonic() < deadline:
            waiting = self._channel.queue_declare(self._name, passive=True).message_count
            # What the queue no longer counts, since it is on its way to here, arrives with this.
            self._wait_for_broker()
            if self._arrived or not waiting:
                return

    def _wait_for_broker(self) -> None:
        # This command has an answer, after all that came before it. It changes nothing: the limit
        # is for consumers that begin after it.
        self._channel.basic_qos(prefetch_size=0, prefetch_count=MOST_HELD, a_global=False)
