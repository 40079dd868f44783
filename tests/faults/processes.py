"""Real processes that work on a pipeline, to be killed, stopped and continued by a test.

They are forked from a server process that has imported everything, so that a kill after a twentieth
of a second meets a worker at work and not Python on its way up.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from typing import Any

from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings

#: Settings of a pipeline, and `instance_path`.
Configuration = Mapping[str, Any]

Work = Callable[[Pipeline], None]

END_SECONDS = 60

#: How long a worker that found nothing, or an error, rests before the next tick.
IDLE_SECONDS = 0.1

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["stats_pipeline.pipeline", "stats_pipeline.queues.amqp", "stats_pipeline.stores.elasticsearch"]
)


class WorkerProcess:
    """Be a running process that does some work on a pipeline of its own.

    Args:
        configuration: of its pipeline.
        work: a function of a module, such as `drain_for_ever`.
    """

    def __init__(self, configuration: Configuration, work: Work) -> None:
        self._process: BaseProcess = _context.Process(target=_run, args=(configuration, work))
        self._process.start()

    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        return self._process.is_alive()

    def kill(self) -> None:
        """End it at once, without any chance to tidy up."""
        self._process.kill()
        self._process.join(END_SECONDS)

    def stop(self) -> None:
        """Let it do nothing more, as a machine that swaps or a paused container (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after `stop`."""
        self._signal(signal.SIGCONT)

    def wait(self) -> int | None:
        """Wait for its own end; return its exit code."""
        self._process.join(END_SECONDS)
        return self._process.exitcode

    def _signal(self, number: signal.Signals) -> None:
        assert self._process.pid
        os.kill(self._process.pid, number)


def drain_for_ever(pipeline: Pipeline) -> None:
    """Process events, tick after tick, as a worker does."""
    while True:
        if not pipeline.process_events(time_limit_seconds=1).taken:
            time.sleep(IDLE_SECONDS)


def update(pipeline: Pipeline) -> None:
    """Update the aggregations once."""
    pipeline.update()


def update_for_ever(pipeline: Pipeline) -> None:
    """Update the aggregations again and again."""
    while True:
        pipeline.update()


def _run(configuration: Configuration, work: Work) -> None:
    settings = dict(configuration)
    instance_path = settings.pop("instance_path")
    work(Pipeline(read_settings(settings), instance_path=instance_path))
