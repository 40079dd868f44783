"""A host application, and a task of its own; the host's Celery app is that of the documentation."""

from pathlib import Path
from types import SimpleNamespace

from celery import shared_task
from flask import Flask

from stats_pipeline import StatsPipeline
from stats_pipeline.contrib.file_download.signals import file_downloaded


def create_app() -> Flask:
    """Make the host's app, configured by variables as SHOP_STATS_STORE_URL."""
    app = Flask(__name__, instance_path=str(Path.cwd() / "instance"))
    app.config.from_prefixed_env("SHOP")
    StatsPipeline(app)
    return app


def create_app_without_statistics() -> Flask:
    """Make an app that nobody can count in."""
    return Flask(__name__)


@shared_task(name="host.download", ignore_result=True)  # type: ignore[untyped-decorator]
def download() -> None:
    """Download a file twice, each time as somebody else."""
    file = SimpleNamespace(bucket_id="20", file_id="f-1", key="file1.txt", size=10)
    for _ in range(2):
        file_downloaded.send(None, obj=file)
