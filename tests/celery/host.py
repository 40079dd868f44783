"""A host application with a Celery app of its own, both made as Flask's documentation shows it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from celery import Celery, Task, shared_task
from flask import Flask

from stats_pipeline import StatsPipeline
from stats_pipeline.contrib.file_download.signals import file_downloaded
from stats_pipeline.tasks import beat_schedule


def create_app() -> Flask:
    """Make the host's app, configured by variables as SHOP_STATS_STORE_URL."""
    app = Flask(__name__, instance_path=str(Path.cwd() / "instance"))
    app.config.from_prefixed_env("SHOP")
    StatsPipeline(app)
    return app


def create_app_without_statistics() -> Flask:
    """Make an app that nobody can count in."""
    return Flask(__name__)


def create_celery(app: Flask) -> Celery:
    """Make the host's Celery app, whose tasks run in its Flask app."""

    class FlaskTask(Task):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery = Celery(app.name, task_cls=FlaskTask)
    update = {**beat_schedule["stats-update-aggregations"], "schedule": 1.0}
    celery.conf.update(
        broker_url=app.config["STATS_BROKER_URL"],
        broker_connection_retry_on_startup=True,
        task_ignore_result=True,
        task_default_queue=f"{app.config['STATS_INDEX_PREFIX']}host",
        beat_schedule={**beat_schedule, "stats-update-aggregations": update},
        # A child process ends right behind each task.
        worker_max_tasks_per_child=1,
    )
    celery.set_default()
    return celery


@shared_task(name="host.download", ignore_result=True)  # type: ignore[untyped-decorator]
def download() -> None:
    """Download a file twice, each time as somebody else."""
    file = SimpleNamespace(bucket_id="20", file_id="f-1", key="file1.txt", size=10)
    for _ in range(2):
        file_downloaded.send(None, obj=file)
