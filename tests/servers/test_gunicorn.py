"""Emitting under real pre-fork servers: every event arrives, and arrives once."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.connection import Connection

from stats_pipeline.pipeline import Pipeline
from tests.servers.serving import WORKERS, Gunicorn, running_gunicorn
from tests.support import Backend, MakePipeline

PATIENCE_SECONDS = 30

REQUESTS = 300
BEFORE = 10

WORKER_CLASSES = {
    "sync": ("--worker-class", "sync"),
    "gthread": ("--worker-class", "gthread", "--threads", "8"),
    "gevent": ("--worker-class", "gevent"),
}
PATCHED_EARLY = ("--config", "python:tests.servers.patched_early", "--preload")


@pytest.fixture(params=["sqlite", pytest.param("amqp", marks=pytest.mark.servers)])
def place(
    request: pytest.FixtureRequest, embedded: Backend, index_prefix: str
) -> Iterator[Backend]:
    """Give the embedded store, with the embedded queue and with RabbitMQ."""
    if request.param == "sqlite":
        yield embedded
        return
    broker_url = request.getfixturevalue("amqp_url")
    yield Backend(embedded.store_url, broker_url)
    with Connection(broker_url) as connection, connection.channel() as channel:
        channel.queue_delete(f"{index_prefix}stats-file-download")


@pytest.fixture
def pipeline(place: Backend, make_pipeline: MakePipeline) -> Pipeline:
    """Give a pipeline that works on what the servers' processes send."""
    return make_pipeline(place)


@pytest.fixture
def settings(place: Backend, index_prefix: str) -> dict[str, str]:
    """Give the environment of the servers."""
    values = {
        **place.settings,
        "STATS_INDEX_PREFIX": index_prefix,
        "STATS_EVENTS": {"file-download": {}},
    }
    return {f"HOST_{name}": json.dumps(value) for name, value in values.items()}


def download(server: Gunicorn, numbers: range = range(REQUESTS)) -> list[dict[str, int]]:
    """Download these files; return the answers."""
    return server.get([f"/files/{number}" for number in numbers])


def download_from_all_workers(server: Gunicorn) -> int:
    """Download until every worker has answered; return how many downloads that took."""
    answers = download(server)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len({answer["process"] for answer in answers}) < WORKERS:
        assert time.monotonic() < deadline, server.log()
        answers += download(server, range(len(answers), len(answers) + WORKERS))
    return len(answers)


def assert_counted(pipeline: Pipeline, expected: int) -> None:
    """Process what has arrived: it is as many events as were emitted, and each was sent once."""
    report = pipeline.process_events()
    assert (report.taken, report.indexed, report.duplicates) == (expected, expected, 0)
    pipeline.update()
    answer = pipeline.query("bucket-file-download-total", bucket_id="20")
    assert sum(bucket["value"] for bucket in answer["buckets"]) == expected
    assert pipeline.publisher.spooled() == 0


@pytest.mark.parametrize("worker_class", WORKER_CLASSES)
def test_every_request_is_counted_once(
    worker_class: str, pipeline: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """Workers that load the app themselves send all when they end."""
    with running_gunicorn(tmp_path, settings, *WORKER_CLASSES[worker_class]) as server:
        downloads = download_from_all_workers(server)
        assert server.stop() == 0
    assert "Traceback" not in server.log()
    assert_counted(pipeline, downloads)


@pytest.mark.parametrize("worker_class", [*WORKER_CLASSES, "gevent, patched early"])
def test_what_was_emitted_before_the_fork_is_counted_once_too(
    worker_class: str, pipeline: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """With --preload, the buffer of the master is sent by the master alone."""
    name, _, is_early = worker_class.partition(", ")
    options = [*WORKER_CLASSES[name], *(PATCHED_EARLY if is_early else ["--preload"])]
    settings["HOST_DOWNLOADS_BEFORE_THE_FORK"] = str(BEFORE // 2)
    with running_gunicorn(tmp_path, settings, *options) as server:
        download(server)
        assert server.stop() == 0
    assert "Traceback" not in server.log()
    assert_counted(pipeline, REQUESTS + BEFORE)


@pytest.mark.parametrize("worker_class", WORKER_CLASSES)
def test_workers_that_are_recycled_lose_nothing(
    worker_class: str, pipeline: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """Every process that ended by --max-requests had sent its events."""
    options = [*WORKER_CLASSES[worker_class], "--max-requests", "50"]
    with running_gunicorn(tmp_path, settings, *options) as server:
        download(server, range(REQUESTS // 2))
        server.wait_for_workers(WORKERS + 1)
        download(server, range(REQUESTS // 2, REQUESTS))
        assert server.stop() == 0
    assert_counted(pipeline, REQUESTS)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_connections_to_the_file_do_not_pile_up(
    worker_class: str, pipeline: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """In confirmed mode each thread or greenlet opens the file, and closes it when it ends."""
    settings["HOST_STATS_PUBLISH"] = "confirmed"
    with running_gunicorn(tmp_path, settings, *WORKER_CLASSES[worker_class]) as server:
        answers = download(server)
        assert server.stop() == 0
    assert max(answer["open_files"] for answer in answers) < 40
    assert_counted(pipeline, REQUESTS)
