"""The embedded queue: a table in a SQLite file, no server."""

from stats_pipeline.queues.sqlite.queue import SqliteQueue

__all__ = ["SqliteQueue"]
