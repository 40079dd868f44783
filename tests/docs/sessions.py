"""A reader at a terminal: types what a page shows, in one folder, and looks at what comes out.

What follows ``console`` says how a block is meant; one without such a word is only looked at:

- ``run``: each command runs to its end and prints what is shown
- ``until``: the block is repeated until it prints what is shown
- ``background``: each command goes on in a terminal of its own, once it has said what is shown
- ``stop``: Ctrl-C in all of these terminals
"""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from scripts.services.server import wait_until
from tests.docs.blocks import Block, commands_of, is_as_shown

#: What may follow ``console``.
KINDS = {"background", "run", "stop", "until"}

STARTS_WITHIN_SECONDS = 60
STOPS_WITHIN_SECONDS = 40
HAPPENS_WITHIN_SECONDS = 60

#: What pages start by name, and an environment has once it is active.
PROGRAMS = ("celery", "flask", "stats")

#: What a terminal carries from one command to the next.
EXPORTED = ".exported"


class Session:
    """Follow a page.

    Args:
        folder: in which the reader works.
        environment: of the first command; what a command exports, the next ones have.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._running: list[subprocess.Popen[bytes]] = []

    def follow(self, block: Block) -> None:
        """Do what a block shows; fail where something else happens."""
        if block.title:
            block.write_into(self._folder)
        elif block.language == "console" and block.info:
            getattr(self, f"_{block.info}")(block)

    def close(self) -> None:
        """End whatever still runs."""
        for process in self._running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running = []

    def _run(self, block: Block) -> None:
        for command, shown in commands_of(block):
            printed = self._printed(command)
            assert is_as_shown(printed, shown), f"$ {command}\n{printed}\n--- shown:\n{shown}"

    def _until(self, block: Block) -> None:
        said: list[str] = []

        def is_reached() -> bool:
            said[:] = [self._printed(command) for command, _ in commands_of(block)]
            return all(map(is_as_shown, said, (shown for _, shown in commands_of(block))))

        try:
            wait_until(is_reached, timeout_seconds=HAPPENS_WITHIN_SECONDS)
        except TimeoutError:
            raise AssertionError(f"{block.text}\n--- but:\n{''.join(said)}") from None

    def _background(self, block: Block) -> None:
        for command, shown in commands_of(block):
            log = self._folder / f".background-{len(self._running)}"
            with log.open("wb") as out:
                process = subprocess.Popen(
                    self._shell(f"exec {command}"),
                    cwd=self._folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            self._running.append(process)
            assert _says(process, log, shown), f"$ {command}\n{log.read_text()}"

    def _stop(self, _block: Block) -> None:
        for process in self._running:
            process.send_signal(signal.SIGINT)
        for process in self._running:
            process.wait(STOPS_WITHIN_SECONDS)
        self.close()

    def _printed(self, command: str) -> str:
        """Return what a command says to a person: its standard output is a terminal."""
        main, side = pty.openpty()
        try:
            with subprocess.Popen(
                self._shell(f"{command}\nexport -p > {EXPORTED}"),
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=side,
                stderr=subprocess.PIPE,
            ) as process:
                os.close(side)
                printed = _read(main)
                _, errors = process.communicate()
        finally:
            os.close(main)
        assert process.returncode == 0, f"$ {command}\n{printed}{errors.decode()}"
        return printed

    def _shell(self, script: str) -> list[str]:
        before = f"test ! -e {EXPORTED} || . ./{EXPORTED}\n"
        # Who runs the tests in the background has them, and all that they start, ignore interrupts.
        heeding = ["env", "--default-signal=INT"]
        return [*heeding, "bash", "-euo", "pipefail", "-c", before + script]


def make_environment(folder: Path) -> None:
    """Make a fresh Python environment in this folder.

    It has all that the one of the tests has, and what is installed into it stays in it.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    ours, programs = Path(sys.executable).parent, folder / "bin"
    site = f"lib/python3.{sys.version_info.minor}/site-packages"
    ours_in_it = f"import site; site.addsitedir({str(ours.parent / site)!r})\n"
    (folder / site / "tests.pth").write_text(ours_in_it)
    for name in PROGRAMS:
        _first, rest = (ours / name).read_text().split("\n", 1)
        (programs / name).write_text(f"#!{programs / 'python'}\n{rest}")
        (programs / name).chmod(0o755)


def bare_environment() -> dict[str, str]:
    """Return the variables of a terminal in which no Python environment is active."""
    active = ("STATS_", "VIRTUAL_ENV", "PYTHON")
    others = {name: value for name, value in os.environ.items() if not name.startswith(active)}
    # Nothing is fetched: what would be is there already.
    offline = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1"}
    path = [
        folder
        for folder in os.environ["PATH"].split(os.pathsep)
        if not any((Path(folder) / name).exists() for name in PROGRAMS)
    ]
    return {**others, **offline, "PATH": os.pathsep.join(path)}


def _says(process: subprocess.Popen[bytes], log: Path, shown: str) -> bool:
    """Wait until a program has said what is shown, in so many lines; tell whether it has."""
    count = len(shown.splitlines())

    def is_said() -> bool:
        lines = log.read_text().splitlines()
        parts = ("\n".join(lines[first : first + count]) for first in range(len(lines)))
        return any(is_as_shown(part, shown) for part in parts)

    with suppress(TimeoutError):
        wait_until(
            lambda: process.poll() is not None or is_said(), timeout_seconds=STARTS_WITHIN_SECONDS
        )
    return process.poll() is None and is_said()


def _read(terminal: int) -> str:
    chunks = []
    with suppress(OSError):  # the end, as Linux says it
        while chunk := os.read(terminal, 65_536):
            chunks.append(chunk)
    return b"".join(chunks).decode().replace("\r\n", "\n")
