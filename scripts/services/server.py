"""One server process with the helpers beside it: spawn, find again, wait for, stop."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

#: A cold start takes about 15 s on two free cores; the rest is for busy machines.
START_TIMEOUT_SECONDS = 180
#: A broker that closes its queues properly needs a few seconds.
STOP_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.1
LOG_TAIL_LINES = 20


class ServicesError(Exception):
    """A server can't be had; the message says why and what to do."""


@dataclass(frozen=True)
class Process:
    """A process that is recognised again: a number alone may belong to somebody else by now."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int) -> "Process":
        """Name the process `pid`, a child of ours."""
        # If it has ended already, a start that no process has makes it "not alive".
        return cls(pid, int((_stat_fields(pid) or ["-1"] * 20)[19]))

    def is_alive(self) -> bool:
        """Say whether this very process still runs."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        fields = _stat_fields(self.pid)
        return bool(fields) and int(fields[19]) == self.start_ticks


@dataclass(frozen=True)
class Server:
    """A running server: its url and the process group that it lives in.

    The first process leads the group, the last one is the server itself.
    """

    name: str
    url: str
    log: str
    processes: tuple[Process, ...]

    @property
    def pid(self) -> int:
        """Give the process id of the server itself."""
        return self.processes[-1].pid

    def is_running(self) -> bool:
        """Say whether the server itself still runs."""
        return self.processes[-1].is_alive()

    def stop(self) -> None:
        """End it properly; whatever is left of its process group after that is killed."""
        if self.is_running():
            os.kill(self.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                wait_until(lambda: not self.is_running(), timeout_seconds=STOP_TIMEOUT_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it with its whole process group at once, as a power cut would."""
        self.signal(signal.SIGKILL)
        wait_until(lambda: not self._members(), timeout_seconds=STOP_TIMEOUT_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal (SIGSTOP, SIGCONT, ...) to its whole process group, if it still lives."""
        if self._members():
            os.killpg(self.processes[0].pid, number)

    def wait_until_healthy(self, is_healthy: Callable[[], bool]) -> None:
        """Return when it answers; stop it and raise ServicesError with its log's end if not."""
        try:
            wait_until(
                lambda: not self.is_running() or is_healthy(),
                timeout_seconds=START_TIMEOUT_SECONDS,
            )
        except TimeoutError:
            self.kill()
            problem = f"did not answer at {self.url} within {START_TIMEOUT_SECONDS} s"
        else:
            if self.is_running():
                return
            self.kill()
            problem = "ended while it started"
        raise ServicesError(f"{self.name} {problem}; its log {self.log} ends with:\n{self._tail()}")

    def _members(self) -> list[int]:
        leader = self.processes[0]
        is_leader_alive = leader.is_alive()
        members = [pid for pid in _running_pids() if _stat_fields(pid)[2:3] == [str(leader.pid)]]
        # A number goes to a new process only when its group is gone: then these are not ours.
        return members if is_leader_alive or leader.pid not in members else []

    def _tail(self) -> str:
        log = Path(self.log)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def save(self, folder: Path) -> None:
        """Remember it in `folder`, for `load`."""
        (folder / "server.json").write_text(json.dumps(asdict(self)))


def load(folder: Path) -> Server | None:
    """Give the server that was last started in `folder`, running or not; None if there is none."""
    try:
        saved = json.loads((folder / "server.json").read_text())
    except FileNotFoundError:
        return None
    return Server(**saved | {"processes": tuple(Process(**item) for item in saved["processes"])})


def spawn(command: list[str], *, environment: dict[str, str], log: Path, group: int = 0) -> Process:
    """Start a command in the background, in process group `group` or one of its own.

    It outlives this process, reads nothing and writes to `log`.
    """
    to_log = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), to_log, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setpgroup=group,
    )
    return Process.of(pid)


def wait_until(is_true: Callable[[], bool], *, timeout_seconds: float) -> None:
    """Return as soon as `is_true()`; raise TimeoutError when the time is over."""
    deadline = time.monotonic() + timeout_seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(POLL_SECONDS)


def free_ports(count: int) -> list[int]:
    """Find loopback ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _running_pids() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _stat_fields(pid: int) -> list[str]:
    """Give state, parent, group, ... of a process; nothing if it has ended (a zombie has)."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The name before them is in brackets, and may itself hold spaces and brackets.
    fields = line.rpartition(")")[2].split()
    return [] if fields[0] == "Z" else fields
