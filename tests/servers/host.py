"""A host application as a pre-fork server runs it: each request is a download of its own file.

Configured by variables such as HOST_STATS_STORE_URL. HOST_DOWNLOADS_BEFORE_THE_FORK makes
downloads while the module is being imported, which is what --preload does before it forks.
"""

import os
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

from flask import Flask

from scripts.services.server import wait_until
from stats_pipeline import StatsPipeline
from stats_pipeline.contrib.file_download.signals import file_downloaded

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

app = Flask(__name__, instance_path=str(Path.cwd() / "instance"))
app.config.from_prefixed_env("HOST")
StatsPipeline(app)


@app.get("/files/<int:number>")
def download(number: int) -> dict[str, int]:
    """Count a download; answer which process did and how many SQLite files it has open."""
    file = SimpleNamespace(bucket_id="20", file_id=number, key=f"file{number}.txt", size=10)
    file_downloaded.send(app, obj=file)
    return {"process": os.getpid(), "open_files": _open_sqlite_files()}


def _open_sqlite_files() -> int:
    opened = []
    for descriptor in Path("/proc/self/fd").iterdir():
        # Other threads close files meanwhile.
        with suppress(FileNotFoundError):
            opened.append(descriptor.readlink().suffix)
    return opened.count(".db")


def _download_before_the_fork(count: int) -> None:
    """Download twice as many files, half of them while the batch of the others is under way."""
    pipeline = app.extensions["stats_pipeline"]
    queue_name = pipeline.registries.event_type("file-download").queue_name
    with app.test_request_context(headers={"User-Agent": BROWSER}):
        for number in range(count):
            download(-1 - number)
        # It is declared before the batch is sent, and old versions of RabbitMQ take a second.
        wait_until(lambda: pipeline.queue.exists(queue_name), timeout_seconds=30)
        for number in range(count, 2 * count):
            download(-1 - number)


if "DOWNLOADS_BEFORE_THE_FORK" in app.config:
    _download_before_the_fork(app.config["DOWNLOADS_BEFORE_THE_FORK"])
