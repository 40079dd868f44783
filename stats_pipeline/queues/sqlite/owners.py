"""Who holds a message: names of consumers that tell whether their process is still there."""

from __future__ import annotations

import os
import socket
import uuid
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def new_owner() -> str:
    """Return a name for a new consumer of this process."""
    pid = os.getpid()
    return f"{_host()} {pid} {_started(pid)} {uuid.uuid4().hex}"


def is_gone(owner: str) -> bool:
    """Tell whether the process of this consumer has certainly ended.

    Nobody can tell for processes of another machine or container. A process that got the number
    of an ended one is told apart by the time of its start, where the system shows that.
    """
    host, pid, started, _ = owner.split(" ")
    return host == _host() and _started(int(pid)) != started


def _host() -> str:
    # Process numbers mean something within one namespace only (containers may share a file).
    try:
        return f"{socket.gethostname()}/{_PROC.joinpath('self', 'ns', 'pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str:
    """Return a mark of the process's start, "ended" where there is no such process."""
    if not _PROC.joinpath("self", "stat").exists():
        return "running" if _is_running(pid) else "ended"
    try:
        stat = _PROC.joinpath(str(pid), "stat").read_text()
    except OSError:
        return "ended"
    # The name of the program, in parentheses, may hold spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    is_zombie = fields[0] in ("Z", "X")
    return "ended" if is_zombie else fields[19]


def _is_running(pid: int) -> bool:
    # A process of another user must not be asked, but is there.
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
