"""The queue's protocol: durable, at least once, in no promised order.

A message is bytes. It is in the queue from the return of `publish` until its acknowledgement; a
consumer that ends or dies without acknowledging gives its messages back. An implementation is safe
to use from several threads, processes, and after a fork.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Message:
    """Be one message that a consumer holds until it acknowledges or lets go of it.

    Attributes:
        body: its bytes.
        tag: how the queue knows it.
        returned: how often it came back to the queue; at least as often as a holder of it died.
    """

    body: bytes
    tag: Any
    returned: int = 0


class Consumer(Protocol):
    """Hold messages of one queue; leaving its context gives back what was not acknowledged."""

    def take(self) -> Message | None:
        """Return the next message, None where the queue has none to give now."""
        ...

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Remove these messages from the queue for good; durable when it returns."""
        ...


class Queue(Protocol):
    """Keep messages in named queues; errors are `QueueError` and its children."""

    def declare(self, names: Sequence[str]) -> None:
        """Make these queues exist; harmless where they do."""
        ...

    def exists(self, name: str) -> bool:
        """Tell whether the queue was declared."""
        ...

    def publish(self, name: str, bodies: Sequence[bytes]) -> None:
        """Put messages into a queue, declaring it first; on return the queue has all of them.

        On an error some of them may be in the queue (so what is sent again may be there twice).
        """
        ...

    def consume(self, name: str) -> AbstractContextManager[Consumer]:
        """Open a consumer of a queue."""
        ...

    def depth(self, name: str) -> int:
        """Return how many messages wait, without those that consumers hold."""
        ...

    def look(self, name: str, see: Callable[[bytes], Seen | None], *, most: int) -> Seen | None:
        """Show `see` waiting messages, about the oldest first, until it returns something.

        They stay in the queue. At most so many are shown, and not more than that are kept from
        consumers meanwhile. Returns None where it never returned anything.
        """
        ...

    def check(self) -> str:
        """Return one line about the queue's health; raise where it can't work."""
        ...

    def close(self) -> None:
        """Let go of connections; the queue may be used again and opens new ones."""
        ...


class Spool(Queue, Protocol):
    """Be a queue in a local file, which can also tell what it holds.

    Attributes:
        limit_bytes: of the file; what comes when it is reached is refused.
    """

    limit_bytes: float

    def used_bytes(self) -> int:
        """Return how much of the file is in use."""
        ...

    def names(self) -> list[str]:
        """Return the names of the declared queues."""
        ...

    def is_empty(self, name: str) -> bool:
        """Tell whether a queue has no messages, also none that consumers hold."""
        ...

    def expired(self, before: datetime) -> Mapping[str, int]:
        """Return how many messages of each queue were published before this time."""
        ...

    def expire(self, before: datetime) -> Iterator[Mapping[str, int]]:
        """Delete those messages for good; yield how many of each queue after each batch."""
        ...

    def expunge(self) -> None:
        """Remove from the disk what was deleted."""
        ...
