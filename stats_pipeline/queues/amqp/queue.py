"""The queue on RabbitMQ: quorum queues on one exchange, persistent and confirmed messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import NotFound

from stats_pipeline.errors import QueueUnavailable
from stats_pipeline.queues.amqp.connections import Connections, Link
from stats_pipeline.queues.amqp.consumer import AmqpConsumer
from stats_pipeline.queues.amqp.errors import translated
from stats_pipeline.queues.protocol import Seen
from stats_pipeline.text import noun

EXCHANGE = "stats"

#: Messages in one queue; what comes on top is refused, and waits in the sender's spool.
LONGEST_QUEUE = 1_000_000

#: A queue that was full takes messages again when it has come down to this part of its length.
FULL_UNTIL = 0.8

#: Until a queue that is not full, and takes nothing nevertheless, is given up.
READY_SECONDS = 5
PAUSE_SECONDS = 0.05

#: Each killed worker is a delivery, and RabbitMQ 4.0 gave quorum queues a limit of 20. Not -1: that
#: means "no limit" there, but before "drop the message when it comes back for the first time". And
#: one number for all versions, since after an upgrade a queue with other arguments is refused.
MOST_DELIVERIES = 2**31 - 1

#: Versions before write the name of a new queue to disk half a second later, and forget a queue
#: with its messages if they are killed until then (rabbitmq/ra#443).
DURABLE_DECLARATIONS_SINCE = (4, 0)
DECLARATION_SECONDS = 1


class AmqpQueue:
    """Keep messages in RabbitMQ (see `Queue`).

    Args:
        url: the broker's address, as ``amqp://user:password@host:5672/virtual-host``.
        longest_queue: how many messages a queue takes. RabbitMQ refuses to change it later.
    """

    def __init__(self, url: str, *, longest_queue: int = LONGEST_QUEUE) -> None:
        self._connections = Connections(url)
        self._server = self._connections.server
        self._longest_queue = longest_queue

    def declare(self, names: Sequence[str]) -> None:
        """Make these queues exist; harmless where they do."""
        with self._connections.lend() as link:
            for name in names:
                self._declare(link, name)

    def exists(self, name: str) -> bool:
        """Tell whether the queue was declared."""
        with self._connections.lend() as link:
            return _look_at(link, name) is not None

    def publish(self, name: str, bodies: Sequence[bytes]) -> None:
        """Put messages into a queue, declaring it first; on return the queue has all of them.

        Raises:
            QueueUnavailable: the queue is full, or the broker does not answer.
            QueueRefused: an operator must act.
        """
        with self._connections.lend() as link:
            if name not in link.declared:
                self._declare(link, name)
            left = link.confirmed_channel.publish(EXCHANGE, name, bodies)
            deadline = time.monotonic() + READY_SECONDS
            while left and not self._is_full(link, name) and time.monotonic() < deadline:
                # It is being made, or changes its leader, or was deleted since it was declared.
                time.sleep(PAUSE_SECONDS)
                self._declare(link, name)
                left = link.confirmed_channel.publish(EXCHANGE, name, left)
        if left:
            messages = f"{len(left)} {noun(len(left), 'message')}"
            raise QueueUnavailable(
                f"RabbitMQ at {self._server} did not take {messages} into the queue {name}, which "
                f"takes {self._longest_queue}: is it full, and are workers running?"
            )

    @contextmanager
    def consume(self, name: str) -> Iterator[AmqpConsumer]:
        """Open a consumer of a queue, declaring it first."""
        self.declare([name])
        link = self._connections.take()
        try:
            with translated(self._server):
                consumer = AmqpConsumer(link.channel(), name, server=self._server)
        except BaseException:
            link.drop()
            raise
        try:
            yield consumer
        finally:
            # Whatever went wrong outside, the connection is good as long as it answers.
            if consumer.give_back():
                self._connections.give_back(link)
            else:
                link.drop()

    def depth(self, name: str) -> int:
        """Return how many messages wait, without those that consumers hold."""
        with self._connections.lend() as link:
            return _look_at(link, name) or 0

    def look(self, name: str, see: Callable[[bytes], Seen | None], *, most: int) -> Seen | None:
        """Show `see` waiting messages until it returns something (see `Queue`)."""
        with self._connections.lend() as link:
            channel = link.channel()
            # One by one: a consumer would be sent hundreds.
            channel.auto_decode = False
            seen = None
            for _ in range(most):
                message = channel.basic_get(name)
                seen = None if message is None else see(message.body or b"")
                if message is None or seen is not None:
                    break
            # The end of the channel gives them back as well, but later than it is confirmed; this
            # command is answered when that is done.
            channel.basic_recover(requeue=True)
            channel.queue_declare(name, passive=True)
            channel.close()
        return seen

    def check(self) -> str:
        """Return one line about the broker; raise where it can't work."""
        with self._connections.lend() as link:
            version = ".".join(str(part) for part in link.broker_version)
            return f"RabbitMQ at {self._server}: version {version}"

    def close(self) -> None:
        """Let go of connections; the queue may be used again and opens new ones."""
        self._connections.close()

    def _declare(self, link: Link, name: str) -> None:
        is_new = _look_at(link, name) is None
        channel = link.channel()
        channel.exchange_declare(EXCHANGE, "direct", durable=True, auto_delete=False)
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=self._arguments)
        channel.queue_bind(name, EXCHANGE, routing_key=name)
        channel.close()
        if is_new and link.broker_version < DURABLE_DECLARATIONS_SINCE:
            time.sleep(DECLARATION_SECONDS)
        link.declared.add(name)

    @property
    def _arguments(self) -> dict[str, Any]:
        """Return the arguments of every queue; all who talk to one broker must use the same."""
        return {
            "x-queue-type": "quorum",
            "x-delivery-limit": MOST_DELIVERIES,
            "x-max-length": self._longest_queue,
            "x-overflow": "reject-publish",
        }

    def _is_full(self, link: Link, name: str) -> bool:
        waiting = _look_at(link, name) or 0
        return waiting >= FULL_UNTIL * self._longest_queue


def _look_at(link: Link, name: str) -> int | None:
    """Return how many messages wait in the queue, None where there is no such queue."""
    channel = link.channel()
    try:
        found = channel.queue_declare(name, passive=True)
    except NotFound:
        return None  # The broker has closed the channel.
    channel.close()
    return int(found.message_count)
