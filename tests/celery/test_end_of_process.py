"""What is left to send when a process ends: Celery's child processes end often."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.services.server import wait_until
from stats_pipeline.clock import SystemClock
from stats_pipeline.events import publisher as publishing
from stats_pipeline.events.publisher import Publisher
from stats_pipeline.queues.amqp import AmqpQueue, connections
from stats_pipeline.queues.opening import open_spool

NAME = "stats-file-download"


@pytest.fixture
def silent_broker() -> Iterator[socket.socket]:
    """Give a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_what_a_silent_broker_keeps_waiting_goes_to_the_spool(
    silent_broker: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that the background thread is still sending is not lost with the process."""
    monkeypatch.setattr(publishing, "EXIT_SECONDS", 0.1)
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 60)
    spool = open_spool(tmp_path, limit_bytes=1_000_000, clock=SystemClock())
    queue = AmqpQueue(f"amqp://127.0.0.1:{silent_broker.getsockname()[1]}//")
    publisher = Publisher(queue, spool, buffer_events=10)
    publisher.emit(NAME, [{"event_id": "e1"}])
    with silent_broker.accept()[0]:
        publisher.close()
        assert spool.depth(NAME) == 1
        silent_broker.close()
    # The thread, which is hurt by nothing but time, has its say as well: twice is harmless.
    wait_until(lambda: spool.depth(NAME) == 2, timeout_seconds=10)
    spool.close()
