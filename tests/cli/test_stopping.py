"""A command that is told to end finishes its batch, gives the rest back and ends well."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from scripts.services.server import wait_until
from tests.support import BROWSER, E004_EVENTS, Backend, MakePipeline, stored_documents

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
