"""The lifetime of publishers: what becomes of their buffers where a process forks or ends."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from functools import lru_cache
from typing import Protocol

from stats_pipeline.text import get_logger

logger = get_logger(__name__)

#: How long a fork waits for a batch that is under way; most of them take milliseconds.
FORK_WAIT_SECONDS = 2.0


class Watched(Protocol):
    """Be what has a buffer; see `stats_pipeline.events.publisher.Publisher`."""

    def close(self) -> None:
        """Send or spool what is in the buffer."""
        ...

    def hold(self, *, timeout_seconds: float) -> threading.Condition:
        """Keep batches from being sent; return what to release."""
        ...

    def forget(self) -> None:
        """Begin without a buffer and a thread."""
        ...


#: Whether this process has been told to end: a thread would not come to send anything any more.
_is_ending = threading.Event()

_publishers: weakref.WeakSet[Watched] = weakref.WeakSet()

#: What the thread that forks holds meanwhile.
_held: list[threading.Condition] = []


def watch(publisher: Watched) -> None:
    """Look after this publisher for as long as it lives."""
    _publishers.add(publisher)
    _watch_process()


def is_ending() -> bool:
    """Tell whether this process is at its end, so that nothing may wait in memory."""
    return _is_ending.is_set()


def close_all() -> None:
    """Send or spool what this process has in its buffers; to be called where it ends."""
    _is_ending.set()
    for publisher in list(_publishers):
        try:
            publisher.close()
        except Exception:
            logger.exception("What was still in the buffer at exit may be lost")


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
    _is_ending.clear()
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
