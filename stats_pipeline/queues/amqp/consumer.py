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

#: How many messages the broker sends before some are acknowledged, to begin with.
FIRST_HELD = 32

#: As many it sends where messages are small: half of them have at most `HELD_BYTES` / 2.
MOST_HELD = 512
HELD_BYTES = 8_000_000

#: Until messages that were seen to wait, but don't come, are left to other consumers.
DELIVERY_SECONDS = 2


class AmqpConsumer:
    """Hold messages of one queue (see `Consumer`), 32 of them, or up to 512 small ones.

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
        self._held: dict[int, int] = {}  # tag -> bytes
        self._most_held = 0
        self._tags: list[str] = []
        #: How many messages were seen to wait and have not come yet. What the broker has sent is
        #: no longer counted there, and may be on its way for long: bodies are read from its disk.
        self._owed = self._waiting()
        self._ask_for(FIRST_HELD)

    def take(self) -> Message | None:
        """Return the next message, None where the queue has none to give now."""
        if not self._arrived:
            with translated(self._server):
                self._wait_for_delivery()
        if not self._arrived:
            return None
        message = self._arrived.popleft()
        # py-amqp gives an empty body as text.
        body = message.body or b""
        self._held[message.delivery_tag] = len(body)
        return Message(body, message.delivery_tag, _returned(message))

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Remove these messages from the queue for good; durable when it returns.

        Raises:
            QueueUnavailable: the broker has closed the connection or does not answer, and will
                give these messages to somebody again.
        """
        acknowledged = {message.tag for message in messages}
        for tag in acknowledged:
            self._held.pop(tag, None)
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
                for tag in self._tags:
                    self._channel.basic_cancel(tag)
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
        while self._has_room():
            # First asked, then compared: what arrives meanwhile is owed no more.
            waiting = self._waiting()
            self._owed = max(self._owed, waiting)
            if self._arrived or not self._owed:
                return
            try:
                self._channel.connection.drain_events(timeout=max(0, deadline - time.monotonic()))
            except TimeoutError:
                self._owed = 0  # Others have them by now.
                return

    def _has_room(self) -> bool:
        """Tell whether the broker may send more, after asking for more where that is safe."""
        if len(self._held) < self._most_held:
            return True
        if self._most_held >= MOST_HELD or sum(self._held.values()) > HELD_BYTES / 2:
            return False
        self._ask_for(self._most_held)
        return True

    def _ask_for(self, number: int) -> None:
        """Let the broker send so many messages more: a consumer of its own on the same channel."""
        self._channel.basic_qos(prefetch_size=0, prefetch_count=number, a_global=False)
        self._tags.append(self._channel.basic_consume(self._name, callback=self._on_delivery))
        self._most_held += number

    def _on_delivery(self, message: Any) -> None:
        self._arrived.append(message)
        self._owed = max(0, self._owed - 1)

    def _waiting(self) -> int:
        """Return how many messages wait that the broker has sent to nobody."""
        return int(self._channel.queue_declare(self._name, passive=True).message_count)

    def _wait_for_broker(self) -> None:
        # This command has an answer, after all that came before it. It changes nothing: the limit
        # is for consumers that begin after it.
        self._channel.basic_qos(prefetch_size=0, prefetch_count=FIRST_HELD, a_global=False)


def _returned(message: Any) -> int:
    """Return how often a quorum queue says that it got the message back."""
    headers = message.properties.get("application_headers") or {}
    count = headers.get("x-delivery-count")
    # A stranger may have written anything.
    return count if type(count) is int else 0
