"""SQLite connections that no fork can hurt.

SQLite forbids that a child uses, or only closes, what its parent opened. It even forbids that a
child opens a file again which it inherited open: SQLite then believes that the process holds locks
which the system did not hand down, and writes get lost. So a fork waits until no other thread is in
SQLite, and meanwhile lets none begin; then all idle connections are closed, and threads open them
again. What can't be closed (a snapshot that somebody reads, a call that doesn't end) makes its file
one that the child refuses.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, get_ident
from time import monotonic

#: How long a writer waits for another writer of the same file.
BUSY_TIMEOUT_SECONDS = 30

#: How long a fork waits for calls of other threads. Most of them take milliseconds; one that waits
#: for another process gives up within half of this. A child that came sooner could write nothing
#: for all of its life.
FORK_WAIT_SECONDS = 2 * BUSY_TIMEOUT_SECONDS


class InheritedOpen(sqlite3.Error):
    """Say that a file can't be used by this process, since its parent had it open at the fork."""


class Connection:
    """Be an open connection to a file.

    Args:
        path: the file.
        is_lasting: whether it must stay open over a fork, since a snapshot would be lost.
    """

    def __init__(self, path: Path, *, is_lasting: bool) -> None:
        self.path = path.resolve()
        self.is_lasting = is_lasting
        self._pid = os.getpid()
        if self.path in _REFUSED:
            raise InheritedOpen(
                "the process was forked while this file was being read or written; fork earlier, "
                "or start new processes by 'spawn'"
            )
        _OPEN.add(self)
        try:
            self.raw = sqlite3.connect(
                self.path,
                timeout=BUSY_TIMEOUT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        except BaseException:
            _OPEN.discard(self)
            raise

    @property
    def is_usable(self) -> bool:
        """Tell whether it is open, and was opened by this process."""
        return self in _OPEN and self._pid == os.getpid()

    def close(self) -> None:
        """Close it, at most once and never in a forked child."""
        # Not to be left half closed by a fork: that sees it as open, or not at all.
        with in_sqlite():
            if self.is_usable:
                with suppress(KeyError):  # another thread was faster
                    _OPEN.remove(self)
                    self.raw.close()


class Owned:
    """Be a thread's connection: it is closed when the thread ends, which frees this."""

    def __init__(self, connection: Connection, generation: int) -> None:
        self.connection = connection
        self.generation = generation

    def __del__(self) -> None:
        self.connection.close()


@contextmanager
def in_sqlite() -> Iterator[None]:
    """Keep the process from forking while this thread is in SQLite, whose locks are not handed on.

    To be held for one call, not while somebody else's code runs.
    """
    thread = get_ident()
    with _condition:
        # Else there might always be somebody. Whoever is in it already has to get out.
        while _forking and thread not in _inside + _forking:
            _condition.wait()
        _inside.append(thread)
    try:
        yield
    finally:
        with _condition:
            _inside.remove(thread)
            _condition.notify_all()


#: Strong references: the end of another thread's state in a forked child must not free them.
_OPEN: set[Connection] = set()

#: The files that were open when this process was forked off.
_REFUSED: set[Path] = set()

#: The threads that are in SQLite, once for each call.
_inside: list[int] = []
_condition = Condition()

#: The threads that wait for that to fork, or are doing it.
_forking: list[int] = []


def _before_fork() -> None:
    # Held until the fork is over, but for the wait: one thread forks at a time.
    _condition.acquire()
    thread, deadline = get_ident(), monotonic() + FORK_WAIT_SECONDS
    _forking.append(thread)
    while any(other != thread for other in _inside) and monotonic() < deadline:
        _condition.wait(deadline - monotonic())
    if not _inside:
        for connection in [each for each in _OPEN if not each.is_lasting]:
            connection.close()


def _after_fork_in_parent() -> None:
    _forking.remove(get_ident())
    _condition.notify_all()
    _condition.release()


def _after_fork_in_child() -> None:
    _forking.clear()
    _inside.clear()
    for connection in _OPEN:
        _REFUSED.add(connection.path)
        # One reference too many, which nobody gives back: it must not be freed at exit either.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
    _OPEN.clear()
    _condition.release()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
