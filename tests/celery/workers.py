"""Real Celery workers with beat, each a process group of its own that a test may hurt."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from kombu.connection import Connection

from scripts.services.server import wait_until
from tests.support import Backend

STANDALONE = "stats_pipeline.worker"

READY_SECONDS = 60
STOP_SECONDS = 40

#: For what a worker has to do on a machine that does other things as well.
WORK_SECONDS = 60


class Worker:
    """Be a running worker; its log is shown by a failing test."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def log(self) -> str:
        """Give what it has said until now."""
        return self._log.read_text(errors="replace")

    def wait_until(self, is_true: Callable[[], bool], *, seconds: float = WORK_SECONDS) -> None:
        """Return as soon as `is_true()`; fail when the time is over or the worker has ended."""
        try:
            wait_until(lambda: self._has_ended() or is_true(), timeout_seconds=seconds)
        except TimeoutError:
            pytest.fail(f"the worker did not come to it in {seconds} s")
        if self._has_ended():
            pytest.fail("the worker has ended")

    def stop(self) -> int:
        """End it as an operator does, by SIGTERM; return its exit code."""
        self._process.terminate()
        code = self._process.wait(STOP_SECONDS)
        self._end_group()
        return code

    def kill(self) -> None:
        """End it with its children at once, as a power cut would."""
        if not self._has_ended():
            self._end_group()
            self._process.wait(STOP_SECONDS)

    def _has_ended(self) -> bool:
        return self._process.poll() is not None

    def _end_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


@contextmanager
def worker_settings(backend: Backend, prefix: str, *event_types: str) -> Iterator[dict[str, str]]:
    """Give the environment of workers; their queues are deleted behind them."""
    assert backend.broker_url is not None
    yield {
        "STATS_STORE_URL": backend.store_url,
        "STATS_BROKER_URL": backend.broker_url,
        "STATS_INDEX_PREFIX": prefix,
        "STATS_EVENTS": json.dumps({event_type: {} for event_type in event_types}),
    }
    with Connection(backend.broker_url) as connection, connection.channel() as channel:
        for name in ("stats.ticks", "host", *(f"stats-{event_type}" for event_type in event_types)):
            channel.queue_delete(f"{prefix}{name}")


@contextmanager
def running_worker(
    folder: Path, settings: Mapping[str, str], *, celery_app: str = STANDALONE
) -> Iterator[Worker]:
    """Give a worker with beat that is ready; it is killed behind the test if it still runs.

    Args:
        folder: where it works, and writes its log and its schedule.
        settings: the only STATS_* variables of its environment.
        celery_app: what `celery -A` gets.
    """
    options = ["-B", "--schedule", "schedule", "--pool", "prefork", "--concurrency", "2"]
    # Other tests may run workers at the same broker, which takes each name once.
    name = f"celery-{secrets.token_hex(4)}@%h"
    command = _command(celery_app, "worker", *options, "--loglevel", "INFO", "-n", name)
    log = folder / "worker.log"
    with log.open("ab") as out:
        begin = out.tell()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    worker = Worker(process, log)
    try:
        worker.wait_until(lambda: " ready." in worker.log()[begin:], seconds=READY_SECONDS)
        yield worker
    finally:
        worker.kill()
        sys.stdout.write(worker.log()[begin:])


def run_celery(
    folder: Path, settings: Mapping[str, str], *arguments: str, celery_app: str = STANDALONE
) -> subprocess.CompletedProcess[str]:
    """Run a command of `celery` to its end, and return what it said."""
    return subprocess.run(
        _command(celery_app, *arguments),
        cwd=folder,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=WORK_SECONDS,
        check=False,
    )


def call_task(
    folder: Path, settings: Mapping[str, str], task: str, *, celery_app: str = STANDALONE
) -> None:
    """Send a task to the workers, as `celery call` does."""
    result = run_celery(folder, settings, "call", task, celery_app=celery_app)
    assert result.returncode == 0, result.stderr


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Give this process's environment with these STATS_* variables and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("STATS_")}
    # The processes work in folders of their own, and import the host of these tests.
    return {**others, **settings, "PYTHONPATH": str(Path(__file__).parents[2])}


def _command(celery_app: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--app", celery_app, *arguments]
