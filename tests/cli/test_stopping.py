"""A command that is told to end finishes what it is at, gives the rest back and ends well."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from scripts.services.server import wait_until
from stats_pipeline.aggregations.lease import acquire
from tests.support import (
    BROWSER,
    E004_EVENTS,
    Backend,
    MakePipeline,
    pipeline_of,
    stored_documents,
)

EVENTS = 30_000
MESSAGE_EVENTS = 500
PATIENCE_SECONDS = 60


def test_processing_ends_between_two_batches_when_it_is_told_to(
    embedded: Backend, make_pipeline: MakePipeline, tmp_path: Path, index_prefix: str
) -> None:
    """SIGTERM: exit code 0, whole batches stored, and all others free for the next run at once."""
    pipeline = make_pipeline(embedded)
    queue_name = pipeline.registries.event_type("file-download").queue_name
    downloads = [
        {**E004_EVENTS[0], "event_id": f"e{n}", "user_id": f"u{n}", "user_agent": BROWSER}
        for n in range(EVENTS)
    ]
    for first in range(0, EVENTS, MESSAGE_EVENTS):
        pipeline.publish("file-download", downloads[first : first + MESSAGE_EVENTS])
    others = {name: v for name, v in os.environ.items() if not name.startswith("STATS_")}
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("stats")), "events", "process"],
        cwd=tmp_path,
        env={**others, "STATS_STORE_URL": embedded.store_url, "STATS_INDEX_PREFIX": index_prefix},
        stdin=subprocess.DEVNULL,
    )
    try:
        messages = EVENTS // MESSAGE_EVENTS
        wait_until(
            lambda: pipeline.queue.depth(queue_name) < messages, timeout_seconds=PATIENCE_SECONDS
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
    left = pipeline.queue.depth(queue_name)
    assert 0 < left < messages
    assert len(stored_documents(pipeline)) == EVENTS - left * MESSAGE_EVENTS
    pipeline.process_events()
    assert len(stored_documents(pipeline)) == EVENTS
    assert pipeline.balance().is_closed


@pytest.mark.parametrize(("command", "generation", "code"), [("update", 1, 0), ("reset", 2, 1)])
def test_what_computes_rows_ends_between_two_intervals_when_it_is_told_to(
    app: Flask, two_days: None, tmp_path: Path, command: str, generation: int, code: int
) -> None:
    """One of two days is done and the other is left; nothing stays held, and the next one ends."""
    pipeline = pipeline_of(app)
    pipeline.process_events()
    alias = pipeline.registries.aggregation("access-log-agg").alias
    key = f"{alias}#g{generation}/2016-12-19T00:00:00.000Z"
    other_run = acquire(pipeline.store.state, pipeline.clock, key, PATIENCE_SECONDS)
    assert other_run is not None
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("stats")), command, "access-log-agg", "-v"],
        cwd=tmp_path,
        env={name: v for name, v in os.environ.items() if not name.startswith("STATS_")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("waiting for 1 interval" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
    assert process.returncode == code, said
    assert "1 interval is pending" in said
    assert "since it was told to end" in said
    other_run.release()
    assert getattr(pipeline, command)(["access-log-agg"]).is_complete
    answer = pipeline.query("access-log-terms", start_date="2016-12-18", end_date="2016-12-20")
    assert answer["value"] == 3
