"""A process that ends, or is overtaken by another one, between any two of its steps.

No logic is replaced: store, state and queue are the real ones, and every call goes through. Only
what happens at the n-th call is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from stats_pipeline.queues.protocol import Consumer, Message, Queue

#: What happens at a call: gets the call and its last argument, returns what the call returned.
Action = Callable[[Callable[..., Any], Sequence[Any]], Any]

Reorder = Callable[[list[Message]], None]


class Crash(BaseException):
    """End a process: nothing that it has still to do is done."""


class Fate:
    """Know what happens to one process, and whether it is still there."""

    def __init__(self) -> None:
        self._calls = 0
        self._at = 0
        self._action: Action = crash_before
        self._is_over = False

    def seal(self, at: int, action: Action) -> None:
        """Let this happen at the call with that number, counted from 1."""
        self._calls, self._at, self._action = 0, at, action

    def unseal(self) -> int:
        """Let nothing happen any more; return how many calls there were since `seal`."""
        calls, self._calls, self._at = self._calls, 0, 0
        return calls

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Do a call, unless the process is over or this is where something happens to it."""
        if self._is_over:
            raise Crash
        self._calls += 1
        if self._calls != self._at:
            return function(*arguments, **options)
        try:
            return self._action(partial(function, **options), arguments)
        except Crash:
            self._is_over = True
            raise


def crash_before(call: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """End the process before anything is done."""
    raise Crash


def crash_halfway(call: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """End the process when the first half of a list is done, as a store without transactions."""
    if arguments and isinstance(arguments[-1], list):
        items = arguments[-1]
        call(*arguments[:-1], items[: len(items) // 2])
    raise Crash


def crash_after(call: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """End the process when all is done, and it does not know yet."""
    call(*arguments)
    raise Crash


CRASHES: dict[str, Action] = {
    "before": crash_before,
    "halfway": crash_halfway,
    "after": crash_after,
}


def overtaken_by(work: Callable[[], object]) -> Action:
    """Return the action that lets others work first, as if this process had been stopped."""

    def act(call: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        work()
        return call(*arguments)

    return act


class Watched:
    """Be a store, its state or a queue, as a process with this fate reaches it."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name == "state":
            return Watched(value, self._fate)
        return partial(self._fate.call, value) if callable(value) else value


class WatchedQueue(Watched):
    """Be a queue that gives its messages in any order; keeps a copy of all that it ever got."""

    def __init__(
        self, inner: Queue, fate: Fate, *, copies: list[tuple[str, bytes]], reorder: Reorder
    ) -> None:
        super().__init__(inner, fate)
        self._copies = copies
        self._reorder = reorder

    def publish(self, name: str, bodies: Sequence[bytes]) -> None:
        """Publish messages, and keep a copy."""
        self._fate.call(self._inner.publish, name, list(bodies))
        self._copies += [(name, body) for body in bodies]

    @contextmanager
    def consume(self, name: str) -> Iterator[Watched]:
        """Open a consumer; where the process ends, the queue notices and takes all back."""
        with self._inner.consume(name) as consumer:
            yield Watched(_AnyOrder(consumer, self._reorder), self._fate)


class _AnyOrder:
    """Take all that waits at once, and give it in another order."""

    def __init__(self, consumer: Consumer, reorder: Reorder) -> None:
        self._consumer = consumer
        self._reorder = reorder
        self._waiting: list[Message] = []

    def take(self) -> Message | None:
        """Return one of the messages."""
        if not self._waiting:
            while message := self._consumer.take():
                self._waiting.append(message)
            self._reorder(self._waiting)
        return self._waiting.pop() if self._waiting else None

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Remove these messages."""
        self._consumer.acknowledge(messages)
