"""SQLite connections that no fork can hurt.

SQLite forbids that a child uses, or only closes, what its parent opened. It even forbids that a
child opens a file again which it inherited open: SQLite then believes that the process holds locks
which the system did not hand down, and writes get lost. So all idle connections are closed before
a fork, and threads open them again. What can't be closed (a snapshot that somebody reads) makes
its file one that the child refuses.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from time import monotonic

#: How long a writer waits for another writer of the same file.
BUSY_TIMEOUT_SECONDS = 30

#: How long a fork waits for calls of other threads; most of them take milliseconds.
FORK_WAIT_SECONDS = 5


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
                "the process was forked while this file was being read; fork earlier, or start "
                "new processes by 'spawn'"
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
        self.is_open = True

    def close(self) -> None:
        """Close it, at most once and never in a forked child."""
        if self.is_open and self._pid == os.getpid():
            self.is_open = False
            with in_sqlite():
                self.raw.close()
            _OPEN.discard(self)


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
    with _condition:
        _inside.append(None)
    try:
        yield
    finally:
        with _condition:
            _inside.pop()
            _condition.notify_all()


#: Strong references: the end of another thread's state in a forked child must not free them.
_OPEN: set[Connection] = set()

#: The files that were open when this process was forked off.
_REFUSED: set[Path] = set()

#: One item for each thread that is in SQLite.
_inside: list[None] = []
_condition = Condition()


def _before_fork() -> None:
    _condition.acquire()
    deadline = monotonic() + FORK_WAIT_SECONDS
    while _inside and monotonic() < deadline:
        _condition.wait(deadline - monotonic())
    if not _inside:
        for connection in [each for each in _OPEN if not each.is_lasting]:
            connection.close()


def _after_fork_in_parent() -> None:
    _condition.release()


def _after_fork_in_child() -> None:
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
