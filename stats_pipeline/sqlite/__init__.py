"""SQLite files, safe with threads, processes and forks: what the embedded store and queue share.

The bottom layer: it knows neither of them, and both may share one file.
"""

from stats_pipeline.sqlite.connections import in_sqlite
from stats_pipeline.sqlite.database import Database, quote
from stats_pipeline.sqlite.location import database_path, memory_path

__all__ = ["Database", "database_path", "in_sqlite", "memory_path", "quote"]
