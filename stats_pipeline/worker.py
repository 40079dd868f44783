"""The stand-alone Celery app: ``celery -A stats_pipeline.worker worker -B``.

Processes events and updates aggregations, of the app that ``STATS_APP`` names, else of the
stand-alone app, which ``STATS_*`` environment variables configure. Celery's messages go through the
same RabbitMQ as the events (``STATS_BROKER_URL``), in one queue of their own.
"""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from flask import Flask
from kombu.entity import Queue

from stats_pipeline.errors import ConfigurationError, StatsError
from stats_pipeline.ext import NAME
from stats_pipeline.tasks import beat_schedule, make_app


def create_celery(flask_app: Flask) -> Celery:
    """Return a Celery app that runs our tasks for this Flask app.

    Raises:
        ConfigurationError: the Flask app has no broker.
    """
    settings = flask_app.extensions[NAME].settings
    broker_url = settings["STATS_BROKER_URL"]
    if broker_url is None:
        raise ConfigurationError(
            "STATS_BROKER_URL is not set: Celery needs RabbitMQ's address, such as "
            "amqp://guest:guest@localhost:5672//; without RabbitMQ, `stats serve` does the work"
        )
    # No event type's queue has this name: theirs begin with `<prefix>stats-`.
    queue_name = f"{settings['STATS_INDEX_PREFIX']}stats.ticks"
    celery = Celery("stats_pipeline", task_cls=_task_class(flask_app))
    celery.conf.update(
        broker_url=broker_url,
        # None stands for the host of the URL; without it, any host's certificate would do.
        broker_use_ssl={"server_hostname": None} if broker_url.startswith("amqps:") else None,
        broker_connection_retry_on_startup=True,
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        task_ignore_result=True,
        # Classic, also where quorum is the broker's default: that would outlast what it carries.
        task_queues=[Queue(queue_name, queue_arguments={"x-queue-type": "classic"})],
        task_default_queue=queue_name,
        task_routes={"stats_pipeline.*": {"queue": queue_name}},
        # A tick must wait where any free worker can take it.
        worker_prefetch_multiplier=1,
        # Our ticks are acknowledged early, so this changes nothing but a warning.
        worker_cancel_long_running_tasks_on_connection_loss=True,
        enable_utc=True,
        timezone="UTC",
        beat_schedule=beat_schedule,
    )
    return celery


def _task_class(flask_app: Flask) -> type[Task]:
    """Return the class of tasks that run in this app, as Flask's documentation shows it."""

    class FlaskTask(Task):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with flask_app.app_context():
                return self.run(*args, **kwargs)

    return FlaskTask


def _from_environment() -> Celery:
    try:
        return create_celery(make_app())
    except StatsError as error:
        # Celery prints a traceback of anything else.
        raise SystemExit(f"stats_pipeline.worker: {error}") from error


app = _from_environment()
