"""Celery tasks: each is a tick, which does what is there to do and leaves the rest to the next.

A lost tick loses nothing, and ticks that run at the same time are harmless. In a worker that is
told to end, they finish the batches and intervals that they are at, and leave the rest.

A Celery app of your own, whose tasks run in the context of your Flask app and whose schedule has
our ``beat_schedule``, is in docs/deployment.md. Without one there is `stats_pipeline.worker`.

A task runs in the Flask app whose context is active, else in the app that the environment variable
``STATS_APP="package.module:factory"`` names. A worker that has neither is not told whose events to
process, and the task fails. Outside of a worker, the stand-alone app is what is left.

A type or an aggregation that fails does not stop the others, nor does it make the task fail: its
``error`` stands in the report that the task returns, and in the log at level ERROR. A task fails
where it is asked for a name that nobody registered, or where the configuration is wrong.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from celery import Task, current_app, shared_task
from celery.signals import worker_process_shutdown, worker_shutting_down
from flask import Flask, has_app_context
from kombu.exceptions import OperationalError

from stats_pipeline.aggregations.update import INTERVALS_AT_ONCE
from stats_pipeline.clock import format_time
from stats_pipeline.errors import ConfigurationError
from stats_pipeline.events.lifetime import close_all
from stats_pipeline.ext import NAME, current_stats
from stats_pipeline.importing import load
from stats_pipeline.intervals import Period
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

PROCESS_EVERY_SECONDS = 5.0

#: Longer than the interval: under load, several ticks drain at the same time, as many as there are
#: free workers. Short enough for updates to get their turn.
PROCESS_AT_MOST_SECONDS = 30.0

#: An update is a single search where nothing has changed.
UPDATE_EVERY_SECONDS = 60.0

#: What has to go goes a day later at most.
RETENTION_EVERY_SECONDS = 24 * 60 * 60.0

#: A tick that no worker has begun when the next one comes is dropped: ticks never pile up.
EXPIRES_AT_SHARE = 0.9

#: For the setting `beat_schedule` of a Celery app.
beat_schedule: dict[str, dict[str, Any]] = {
    "stats-process-events": {
        "task": "stats_pipeline.tasks.process_events",
        "schedule": PROCESS_EVERY_SECONDS,
        "kwargs": {"time_limit_seconds": PROCESS_AT_MOST_SECONDS},
        "options": {"expires": PROCESS_EVERY_SECONDS * EXPIRES_AT_SHARE},
    },
    "stats-update-aggregations": {
        "task": "stats_pipeline.tasks.update_aggregations",
        "schedule": UPDATE_EVERY_SECONDS,
        "options": {"expires": UPDATE_EVERY_SECONDS * EXPIRES_AT_SHARE},
    },
    "stats-apply-retention": {
        "task": "stats_pipeline.tasks.apply_retention",
        "schedule": RETENTION_EVERY_SECONDS,
        "options": {"expires": RETENTION_EVERY_SECONDS * EXPIRES_AT_SHARE},
    },
}

_making = threading.Lock()

#: 1 when the worker was told to end. Celery tells that its main process only, while its children,
#: which share this memory, are at work.
_told_to_end = mmap.mmap(-1, 1)


@shared_task(name="stats_pipeline.tasks.process_events", ignore_result=True)  # type: ignore[untyped-decorator]
def process_events(
    types: Sequence[str] | None = None, time_limit_seconds: float | None = None
) -> dict[str, Any]:
    """Process the waiting events of these types (None: all); return the report as a dict."""
    with _pipeline() as pipeline:
        report = pipeline.process_events(types, time_limit_seconds, should_stop=_should_stop)
    for name, each in report.types.items():
        if each.alarm:
            logger.error("%s: %s", name, each.alarm)
    return report.as_dict()


@shared_task(bind=True, name="stats_pipeline.tasks.update_aggregations", ignore_result=True)  # type: ignore[untyped-decorator]
def update_aggregations(
    self: Task, names: Sequence[str] | None = None, start: str | None = None, end: str | None = None
) -> dict[str, Any]:
    """Bring these aggregations (None: all) up to date; return the report as a dict.

    In a worker, where much is dirty, it does a part and makes tasks of the rest, by aggregation and
    range of time, which all workers share. What fails stays dirty, and is tried again by the next
    tick.
    """
    hand_over = None if self.request.called_directly else _hand_over
    with _pipeline() as pipeline:
        report = pipeline.update(names, start, end, hand_over=hand_over, should_stop=_should_stop)
        return report.as_dict()


def _hand_over(name: str, intervals: Sequence[Period]) -> None:
    for position in range(0, len(intervals), INTERVALS_AT_ONCE):
        some = intervals[position : position + INTERVALS_AT_ONCE]
        bounds = {"start": format_time(some[0].start), "end": format_time(some[-1].end)}
        try:
            update_aggregations.apply_async(
                kwargs={"names": [name], **bounds}, expires=UPDATE_EVERY_SECONDS * EXPIRES_AT_SHARE
            )
        except OperationalError as error:
            # They stay dirty, and the next tick comes to them.
            logger.warning("The broker takes no task for %s: %s", name, error)
            return


@shared_task(name="stats_pipeline.tasks.apply_retention", ignore_result=True)  # type: ignore[untyped-decorator]
def apply_retention() -> dict[str, Any]:
    """Delete what may not be kept any longer; return the report as a dict."""
    with _pipeline() as pipeline:
        return pipeline.apply_retention().as_dict()


def make_app() -> Flask:
    """Return the app in which tasks run that find no app context; made once in a process.

    Raises:
        ConfigurationError: STATS_APP does not lead to a Flask app, or a setting is wrong.
    """
    # A second app would hear the same signals and count them again.
    with _making:
        return _make_app(os.environ.get("STATS_APP"))


@cache
def _make_app(target: str | None) -> Flask:
    from stats_pipeline.app import create_app

    factory = create_app if target is None else load(target, owner="STATS_APP")
    is_factory = callable(factory) and not isinstance(factory, Flask)
    app = factory() if is_factory else None
    if not isinstance(app, Flask) or NAME not in app.extensions:
        raise ConfigurationError(
            f"STATS_APP={target!r}: expected 'package.module:factory', a function without "
            "arguments that returns a Flask app with StatsPipeline"
        )
    return app


@contextmanager
def _pipeline() -> Iterator[Pipeline]:
    if has_app_context():
        yield current_stats
        return
    worker_task = current_app.current_worker_task
    if worker_task is not None and "STATS_APP" not in os.environ:
        raise ConfigurationError(
            f"The Celery app {current_app.main!r} runs {worker_task.name} in no Flask app, and so "
            "does not know whose events to process: let its tasks run in your app's context, as "
            'docs/deployment.md shows, or set STATS_APP="package.module:factory" for its workers'
        )
    with make_app().app_context():
        yield current_stats


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _note_the_end(**_: Any) -> None:
    _told_to_end[0] = 1


def _should_stop() -> bool:
    return _told_to_end[0] == 1


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _send_the_rest(**_: Any) -> None:
    # Celery's child processes end without Python's exit handlers. What a task emitted just before
    # is still in the buffer.
    close_all()
