"""Cases of where and how it runs: servers, runners and the zone of the machine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from stats_pipeline import current_stats
from stats_pipeline.cli import stats
from stats_pipeline.tasks import process_events, update_aggregations
from tests.acceptance.downloads import AGGREGATION, download, row_documents
from tests.support import (
    E004_EVENTS,
    Backend,
    MakeApp,
    MakePipeline,
    pipeline_of,
    stored_documents,
)

CHECKOUT = Path(__file__).parents[2]


def run_by_task() -> None:
    """Let the Celery tasks do the work, as a worker calls them."""
    process_events()
    update_aggregations([AGGREGATION])


def run_by_calls() -> None:
    """Let the host call what there is to call, without any task runner."""
    current_stats.process_events()
    current_stats.update([AGGREGATION])


def run_by_commands() -> None:
    """Let cron do the work, by the commands."""
    for arguments in (["events", "process"], ["update", AGGREGATION]):
        stats.main(arguments, standalone_mode=False)


@pytest.mark.parametrize("runner", [run_by_task, run_by_calls, run_by_commands])
def test_A004_67_queue_and_runner_are_chosen_by_configuration(
    runner: Callable[[], None], backend: Backend, make_app: MakeApp
) -> None:
    """On one file or on servers, by Celery, calls or cron: the numbers of E004."""
    app = make_app(backend.store_url, backend.broker_url)
    assert pipeline_of(app).queue_url == (backend.broker_url or backend.store_url)
    answers(app, runner)


def test_A004_67_a_broker_needs_no_store_on_servers(
    embedded: Backend, amqp_url: str, make_app: MakeApp
) -> None:
    """The events wait in RabbitMQ, and their numbers are in the file."""
    app = make_app(embedded.store_url, amqp_url)
    assert pipeline_of(app).queue_url == amqp_url
    answers(app, run_by_calls)


def test_A004_67_a_store_on_servers_needs_no_broker(
    distributed: Backend, make_app: MakeApp
) -> None:
    """Then the queue is a file of the instance folder."""
    app = make_app(distributed.store_url, None)
    assert pipeline_of(app).queue_url.startswith("sqlite:///")
    answers(app, run_by_calls)


def answers(app: Flask, runner: Callable[[], None]) -> None:
    """Send E004 through the app; the terms query must have its numbers."""
    with app.app_context():
        current_stats.publish("file-download", E004_EVENTS)
        runner()
        answer = current_stats.query("bucket-file-download-total", bucket_id="20")
    assert {b["key"]: b["value"] for b in answer["buckets"]} == {"file1.txt": 5, "file2.txt": 1}


#: Publishes, processes and counts in a process of its own; prints the reports.
COUNT = """
import json, sys, time
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings
settings, events, instance_path = json.loads(sys.argv[1])
pipeline = Pipeline(read_settings(settings), instance_path=instance_path)
pipeline.publish("file-download", events)
processed = pipeline.process_events()
updated = pipeline.update(["file-download-agg"]).aggregations["file-download-agg"]
pipeline.close()
print(json.dumps([time.tzname, processed.indexed, processed.duplicates, updated.as_dict()]))
"""


def test_W13_the_zone_of_the_machine_changes_neither_ids_nor_indices(
    backend: Backend, make_pipeline: MakePipeline, index_prefix: str, tmp_path: Path
) -> None:
    """The hour that Zurich's clocks repeat, and the end of a month: a server there and one in UTC.

    What the one has counted is the same documents and rows for the other.
    """
    night = datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Zurich"))
    assert night.utcoffset() != night.replace(fold=1).utcoffset()
    times = ["2025-10-26T00:30:00", "2025-10-26T01:30:00", "2025-10-26T02:30:00"]
    events = [download(time, event_id=time) for time in (*times, "2025-10-31T23:30:00-05:00")]
    settings = {
        **backend.settings,
        "STATS_EVENTS": {"file-download": {}},
        "STATS_INDEX_PREFIX": index_prefix,
    }
    pipeline = make_pipeline(backend)

    def count(zone: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", COUNT, json.dumps([settings, events, str(tmp_path)])],
            cwd=CHECKOUT,
            env={**os.environ, "TZ": zone},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    names, indexed, _, updated = count("Europe/Zurich")
    assert names == ["CET", "CEST"]
    assert (indexed, updated["created"]) == (4, 2)
    documents, rows = stored_documents(pipeline), row_documents(pipeline)
    assert [document.index[-7:] for document in documents] == ["2025-10"] * 3 + ["2025-11"]
    assert [(row.body["start"][:10], row.body["count"]) for row in rows] == [
        ("2025-10-26", 3),
        ("2025-11-01", 1),
    ]
    for zone in ("UTC", "America/St_Johns"):
        _, indexed, duplicates, updated = count(zone)
        assert (indexed, duplicates) == (0, 4)
        assert [updated[key] for key in ("created", "updated", "deleted")] == [0, 0, 0]
    assert [d.id for d in stored_documents(pipeline)] == [d.id for d in documents]
    assert [row.id for row in row_documents(pipeline)] == [row.id for row in rows]
