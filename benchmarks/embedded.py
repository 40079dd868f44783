"""The embedded pair beside bare SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.measuring import Measured, run_chain, timed
from stats_pipeline.stores.protocol import Document

GROUP_BY = """
    select substr(timestamp, 1, 10), unique_id, count(*), count(distinct visitor_id), sum(size)
    from events where is_robot = 0 group by 1, 2 order by 1, 2
"""


def measure_embedded(events: Sequence[dict[str, Any]], folder: Path) -> Iterator[Measured]:
    """Measure queue, chain and store in one SQLite file."""
    chain = run_chain(events, folder)
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        writing = timed(lambda: _insert(connection, chain.documents))
        grouping = timed(lambda: connection.execute(GROUP_BY).fetchall())
    yield Measured(
        "SQLite: queue to store",
        "events",
        len(events),
        chain.indexing_seconds,
        "one executemany of the same documents",
        writing * len(events) / len(chain.documents),
    )
    yield Measured(
        "SQLite: update",
        "rows",
        chain.rows,
        chain.updating_seconds,
        "one GROUP BY",
        grouping,
    )


def _insert(connection: sqlite3.Connection, documents: Sequence[Document]) -> None:
    fields = sorted({name for document in documents for name in document.body})
    columns = ", ".join(fields)
    connection.execute(f"create table events (_id text primary key, {columns})")
    rows = [(document.id, *map(document.body.get, fields)) for document in documents]
    connection.execute("begin")
    connection.executemany(f"insert into events values (?{', ?' * len(fields)})", rows)
    connection.execute("commit")
