"""A worker that is killed at any point loses nothing, and nothing is counted twice."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.services.server import wait_until
from stats_pipeline.pipeline import Pipeline
from tests.support import BROWSER, Backend, MakePipeline, stored_events

CHECKOUT = Path(__file__).parents[2]
FILES = 40

#: 40 downloads of as many files, each clicked twice, and one event that nobody can count.
EVENTS: list[dict[str, Any]] = [
    {
        "timestamp": f"2016-12-18T10:00:0{click}Z",
        "user_id": "u1",
        "user_agent": BROWSER,
        "bucket_id": "20",
        "file_id": f"f-{number}",
        "file_key": f"file{number}.txt",
    }
    for number in range(FILES)
    for click in (1, 2)
]
BAD = {"timestamp": "2016-12-18T10:00:00Z", "bucket_id": "20"}


def totals(pipeline: Pipeline) -> list[float]:
    """Bring the aggregation up to date and return what it counts of each file."""
    assert pipeline.update(["file-download-agg"]).is_complete
    answer = pipeline.query("bucket-file-download-total", bucket_id="20")
    return [bucket["value"] for bucket in answer["buckets"]]


@pytest.mark.parametrize(
    ("indexer", "documents"),
    [
        ("DyingBeforeTheBulk", 0),
        ("DyingAfterTheBulk", FILES),
        ("DyingBeforeTheAcknowledgement", FILES),
    ],
)
def test_A004_32_a_killed_worker_loses_nothing_and_counts_nothing_twice(
    backend: Backend,
    make_pipeline: MakePipeline,
    index_prefix: str,
    tmp_path: Path,
    indexer: str,
    documents: int,
) -> None:
    """Also not if it had written the documents, but not marked their hours."""
    pipeline = make_pipeline(backend)
    pipeline.publish("file-download", [*EVENTS, BAD])
    configuration = {
        "instance_path": str(tmp_path),
        "STATS_INDEX_PREFIX": index_prefix,
        "STATS_EVENTS": {"file-download": {"processor_class": f"tests.events.dying:{indexer}"}},
        **backend.settings,
    }
    died = subprocess.run(
        [sys.executable, "-m", "tests.events.dying", json.dumps(configuration)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert len(stored_events(pipeline)) == documents
    assert totals(pipeline) == ([1] * FILES if documents and "Ack" in indexer else [])

    redelivered: list[int] = []

    def is_redelivered() -> bool:
        redelivered.append(pipeline.process_events().taken)
        return sum(redelivered) > 0

    wait_until(is_redelivered, timeout_seconds=30)
    assert sum(redelivered) == len(EVENTS) + 1
    assert len(stored_events(pipeline)) == FILES
    assert totals(pipeline) == [1] * FILES
    assert len(pipeline.dead_letters.list()) == 1
    assert pipeline.process_events().taken == 0
