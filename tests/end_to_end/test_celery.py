"""The whole chain with a real worker and beat, RabbitMQ and Elasticsearch."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline import Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.tasks import EXPIRES_AT_SHARE, beat_schedule
from tests.celery.workers import call_task, running_worker, worker_settings
from tests.docs.blocks import blocks_of
from tests.support import BROWSER, E004_EVENTS, Backend, MakePipeline

UPDATE = "stats_pipeline.tasks.update_aggregations"

#: The one of docs/deployment.md, and one that is made without reading it.
HOST = "make_celery"
CARELESS = "tests.celery.careless"

#: A worker takes 2,000 events in one batch: with so many, it can be met in the middle.
MANY_EVENTS = 16_000
MESSAGE_EVENTS = 100
FILES = 8


@pytest.fixture
def settings(distributed: Backend, index_prefix: str) -> Iterator[dict[str, str]]:
    """Give the environment of the workers of this test."""
    with worker_settings(distributed, index_prefix, "file-download") as settings:
        yield settings


@pytest.fixture
def web(make_pipeline: MakePipeline, distributed: Backend) -> Pipeline:
    """Give the pipeline of a web process: it publishes and asks, all else is for the workers."""
    return make_pipeline(distributed)


def many_downloads() -> list[dict[str, Any]]:
    """Return downloads of some files in turns, each by another user."""
    start = datetime(2016, 12, 18, tzinfo=UTC)
    return [
        {
            "event_id": f"e{number}",
            "timestamp": (start + timedelta(seconds=number)).isoformat(),
            "user_id": f"u{number}",
            "user_agent": BROWSER,
            "bucket_id": "20",
            "file_id": f"f-{number % FILES}",
            "file_key": f"file{number % FILES}.txt",
            "size": 1_000,
        }
        for number in range(MANY_EVENTS)
    ]


def prefixed(prefix: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return variables as only an app reads them that takes those with this prefix."""
    return {f"{prefix}_{name}": value for name, value in settings.items()}


def settings_of_celery(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of the host's Celery app: soon due, and its processes end at once."""
    soon = {"schedule": 1.0, "options": {"expires": EXPIRES_AT_SHARE}}
    update = {**beat_schedule["stats-update-aggregations"], **soon}
    return {
        "CELERY__task_default_queue": f"{settings['STATS_INDEX_PREFIX']}host",
        "CELERY__beat_schedule": json.dumps({**beat_schedule, "stats-update-aggregations": update}),
        "CELERY__imports": '["tests.celery.host"]',
        # A child process ends right behind each task.
        "CELERY__worker_max_tasks_per_child": "1",
    }


def stored(pipeline: Pipeline) -> int:
    """Return how many downloads are stored."""
    alias = pipeline.registries.event_type("file-download").alias
    pipeline.store.refresh([alias])
    with pipeline.store.snapshot([alias]) as snapshot:
        return snapshot.count(Filter())


def counted(pipeline: Pipeline) -> dict[str, int]:
    """Return the answer of the query: file -> downloads."""
    answer = pipeline.query("bucket-file-download-total", bucket_id="20")
    return {bucket["key"]: bucket["value"] for bucket in answer["buckets"]}


def test_a_worker_with_beat_does_all_the_work(
    web: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """What a web process publishes is counted, and SIGTERM ends the worker cleanly."""
    web.publish("file-download", E004_EVENTS)
    with running_worker(tmp_path, settings) as worker:
        worker.wait_until(lambda: stored(web) == 7)

        def is_counted() -> bool:
            call_task(tmp_path, settings, UPDATE)
            return counted(web) == {"file1.txt": 5, "file2.txt": 1}

        worker.wait_until(is_counted)
        assert worker.stop() == 0
        log = worker.log()
    assert "Warm shutdown" in log
    assert [line for line in log.splitlines() if "WARNING/" in line or "ERROR/" in line] == []


def test_A004_32_a_worker_killed_in_the_middle_loses_nothing_and_counts_nothing_twice(
    web: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """After SIGKILL and a new start the totals are exact."""
    events = many_downloads()
    for first in range(0, MANY_EVENTS, MESSAGE_EVENTS):
        web.publish("file-download", events[first : first + MESSAGE_EVENTS])
    with running_worker(tmp_path, settings) as worker:
        worker.wait_until(lambda: stored(web) > 0)
        worker.kill()
    assert stored(web) < MANY_EVENTS, "it was killed too late to prove anything"
    with running_worker(tmp_path, settings) as worker:
        worker.wait_until(lambda: stored(web) == MANY_EVENTS)

        def is_counted() -> bool:
            call_task(tmp_path, settings, UPDATE)
            return sum(counted(web).values()) == MANY_EVENTS

        worker.wait_until(is_counted)
    assert counted(web) == {f"file{n}.txt": MANY_EVENTS // FILES for n in range(FILES)}
    assert web.dead_letters.list() == []


def test_a_worker_that_is_told_to_end_hands_a_backlog_over(
    web: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """SIGTERM: it finishes the batch that it is at, and all that it does not store is free."""
    queue_name = web.registries.event_type("file-download").queue_name
    events = [
        {**event, "user_id": f"{event['user_id']}-{copy}"}
        for copy in range(3)
        for event in many_downloads()
    ]
    for first in range(0, len(events), MESSAGE_EVENTS):
        web.publish("file-download", events[first : first + MESSAGE_EVENTS])
    with running_worker(tmp_path, settings) as worker:
        worker.wait_until(lambda: stored(web) > 0)
        assert worker.stop() == 0
    left = web.queue.depth(queue_name) * MESSAGE_EVENTS
    assert left > MANY_EVENTS, "it went on to the end of its tick"
    assert stored(web) == len(events) - left
    assert web.process_events().indexed == left
    assert web.balance().is_closed


def test_an_update_of_many_days_is_shared_by_the_workers(
    web: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """One task does a part and makes tasks of the rest, by range; the rows are those of one run."""
    start = datetime(2016, 1, 1, tzinfo=UTC)
    events = [
        {**event, "timestamp": (start + timedelta(days=number)).isoformat()}
        for number, event in enumerate(many_downloads()[:120])
    ]
    web.publish("file-download", events)
    assert web.process_events().indexed == 120
    with running_worker(tmp_path, settings) as worker:
        call_task(tmp_path, settings, UPDATE)
        worker.wait_until(lambda: sum(counted(web).values()) == 120)
        done = rf"(ForkPoolWorker-\d+)\] Task {re.escape(UPDATE)}\[.* succeeded"
        worker.wait_until(lambda: len(re.findall(done, worker.log())) >= 3)
        log = worker.log()
    assert log.count(f"Task {UPDATE}[") >= 3
    assert len(set(re.findall(done, log))) == 2
    report = web.update(["file-download-agg"])
    assert (report.is_complete, report.aggregations["file-download-agg"].intervals) == (True, 0)


def test_a_hosts_own_celery_app_does_the_work_by_its_schedule(
    web: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """As docs/deployment.md shows it; a child process that ends at once loses nothing either."""
    page = blocks_of((Path(__file__).parents[2] / "docs" / "deployment.md").read_text())
    for block in page:
        if block.title:
            block.write_into(tmp_path)
    assert [f"$ celery -A {HOST} worker -B\n"] == [b.text for b in page if b.language == "console"]
    # Else a query may meet the index of the state before Elasticsearch has made its shard.
    assert web.process_events().taken == 0
    settings = prefixed("FLASK", {**settings, **settings_of_celery(settings)})
    with running_worker(tmp_path, settings, celery_app=HOST) as worker:
        call_task(tmp_path, settings, "host.download", celery_app=HOST)
        worker.wait_until(lambda: counted(web) == {"file1.txt": 2})
        assert worker.stop() == 0


def careless(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a Celery app whose tasks run in no Flask app."""
    return {
        "CARELESS_BROKER_URL": settings["STATS_BROKER_URL"],
        "CARELESS_TASK_DEFAULT_QUEUE": f"{settings['STATS_INDEX_PREFIX']}host",
    }


def test_a_worker_without_a_flask_app_does_nothing_and_says_what_to_do(
    web: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """It would process the events of a stand-alone app, while those of the host wait for ever."""
    web.publish("file-download", E004_EVENTS)
    with running_worker(tmp_path, careless(settings), celery_app=CARELESS) as worker:
        worker.wait_until(lambda: "ConfigurationError" in worker.log())
        task = "stats_pipeline.tasks.process_events"
        assert f"The Celery app 'careless' runs {task} in no Flask app" in worker.log()
        assert "docs/deployment.md" in worker.log()
        assert worker.stop() == 0
    assert not (tmp_path / "instance").exists()
    assert stored(web) == 0


def test_a_worker_without_a_flask_app_of_its_own_uses_the_one_that_stats_app_names(
    web: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """The other way out that the message names."""
    web.publish("file-download", E004_EVENTS)
    settings = {**careless(settings), **prefixed("SHOP", settings)}
    settings["STATS_APP"] = "tests.celery.host:create_app"
    with running_worker(tmp_path, settings, celery_app=CARELESS) as worker:
        worker.wait_until(lambda: stored(web) == 7)


def test_the_stand_alone_worker_runs_in_the_app_that_stats_app_names(
    web: Pipeline, settings: dict[str, str], tmp_path: Path
) -> None:
    """With STATS_APP no Celery app of the host's own is needed."""
    web.publish("file-download", E004_EVENTS)
    settings = {**prefixed("SHOP", settings), "STATS_APP": "tests.celery.host:create_app"}
    with running_worker(tmp_path, settings) as worker:
        worker.wait_until(lambda: stored(web) == 7)
