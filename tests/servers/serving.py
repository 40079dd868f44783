"""A real gunicorn with a few workers, and clients that ask it at the same time."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from scripts.services.server import wait_until
from tests.support import BROWSER

CHECKOUT = Path(__file__).parents[2]
WORKERS = 2
CLIENTS = 16
READY_SECONDS = 60
STOP_SECONDS = 40


class Gunicorn:
    """Be a running server; its log is shown by a failing test."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def log(self) -> str:
        """Give what it has said until now."""
        return self._log.read_text(errors="replace")

    def wait_for_workers(self, count: int) -> None:
        """Return when so many workers have begun since the server began."""
        wait_until(
            lambda: self._has_ended() or self.log().count("Booting worker") >= count,
            timeout_seconds=READY_SECONDS,
        )
        assert not self._has_ended(), "the server has ended"

    def get(self, paths: Sequence[str]) -> list[Any]:
        """Ask for all paths, many at the same time; every answer is a success."""
        found = re.search(r"Listening at: (http://[\d.:]+)", self.log())
        assert found
        url = found[1]

        def ask(path: str) -> Any:
            request = Request(url + path, headers={"User-Agent": BROWSER})
            with urlopen(request, timeout=READY_SECONDS) as answer:
                return json.load(answer)

        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(ask, paths))

    def stop(self) -> int:
        """End it as an operator does, by SIGTERM; return its exit code."""
        self._process.terminate()
        return self._process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End it if it still runs; its workers notice that and end as well."""
        if not self._has_ended():
            self._process.kill()
            self._process.wait(STOP_SECONDS)

    def _has_ended(self) -> bool:
        return self._process.poll() is not None


@contextmanager
def running_gunicorn(
    folder: Path, settings: Mapping[str, str], *options: str
) -> Iterator[Gunicorn]:
    """Give a server of the host of these tests that is ready.

    Args:
        folder: where it works and writes its log.
        settings: variables of its environment; no STATS_* of this process's gets there.
        options: of gunicorn's command line.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("STATS_")}
    log = folder / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", str(WORKERS)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--no-control-socket", *options, "tests.servers.host:app"],
            cwd=folder,
            env={**others, **settings, "PYTHONPATH": str(CHECKOUT)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    server = Gunicorn(process, log)
    try:
        server.wait_for_workers(WORKERS)
        yield server
    finally:
        server.kill()
        sys.stdout.write(server.log())
