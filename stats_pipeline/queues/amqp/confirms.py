"""Publishing with confirms: all messages are sent, then the broker answers for each of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from amqp import Message

#: Delivery mode of messages that survive a restart of the broker.
PERSISTENT = 2


class ConfirmedChannel:
    """Be a channel whose every message is confirmed, refused or returned by the broker.

    Args:
        channel: of py-amqp, and of nobody else.
        timeout_seconds: until a broker that confirms nothing is given up.
    """

    def __init__(self, channel: Any, *, timeout_seconds: float) -> None:
        self._channel = channel
        self._timeout_seconds = timeout_seconds
        self._last_tag = 0
        self._open: dict[int, bytes] = {}
        self._not_taken: list[bytes] = []
        channel.confirm_select()
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.events["basic_return"].add(self._on_return)

    def publish(self, exchange: str, routing_key: str, bodies: Iterable[bytes]) -> Sequence[bytes]:
        """Send the messages and return those that no queue took, when all are answered for.

        Raises:
            TimeoutError: the broker does not answer, as one that is short of memory or disk.
        """
        self._not_taken = []
        for body in bodies:
            # The broker numbers the messages of a channel in the same way.
            self._last_tag += 1
            self._open[self._last_tag] = body
            message = Message(body, delivery_mode=PERSISTENT)
            self._channel.basic_publish(
                message, exchange=exchange, routing_key=routing_key, mandatory=True
            )
        while self._open:
            self._wait_for_answer()
        return self._not_taken

    def _wait_for_answer(self) -> None:
        number = len(self._open)
        deadline = time.monotonic() + self._timeout_seconds
        while len(self._open) == number:
            self._channel.connection.drain_events(timeout=max(0, deadline - time.monotonic()))

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._answered(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._not_taken += self._answered(tag, multiple)

    def _on_return(self, _error: Exception, _exchange: str, _key: str, message: Any) -> None:
        # There is no such queue. An ack follows, which closes the matter for the broker.
        self._not_taken.append(message.body or b"")

    def _answered(self, tag: int, multiple: bool) -> list[bytes]:
        tags = [other for other in self._open if other <= tag] if multiple else [tag]
        return [self._open.pop(answered) for answered in tags]
