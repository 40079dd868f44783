"""Open the queue that a URL names: the only place that knows which queues there are."""

from __future__ import annotations

from pathlib import Path

from stats_pipeline.clock import Clock
from stats_pipeline.queues.protocol import Queue, Spool


def open_queue(url: str) -> Queue:
    """Return the queue of this URL; nothing is connected or created yet."""
    if url.startswith("sqlite:"):
        from stats_pipeline.queues.sqlite import SqliteQueue
        from stats_pipeline.sqlite import database_path

        return SqliteQueue(database_path(url))
    from stats_pipeline.queues.amqp import AmqpQueue

    return AmqpQueue(url)


def open_spool(folder: Path, *, limit_bytes: float, clock: Clock) -> Spool:
    """Return the spool in this folder: an embedded queue of its own file, of limited size."""
    from stats_pipeline.queues.sqlite import SqliteQueue

    return SqliteQueue(folder / "spool.db", limit_bytes=limit_bytes, clock=clock)
