"""The embedded store: one SQLite file, no server."""

from stats_pipeline.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
