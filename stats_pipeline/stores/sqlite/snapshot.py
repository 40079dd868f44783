"""Documents as they were at one moment, streamed from one SQLite read transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from stats_pipeline.metrics import Metric, Unique
from stats_pipeline.model import Filter
from stats_pipeline.sqlite import Database, in_sqlite
from stats_pipeline.stores.protocol import Document, Group
from stats_pipeline.stores.sqlite.measures import Measure, add_aggregates, measures, newest_value
from stats_pipeline.stores.sqlite.schema import load_tables
from stats_pipeline.stores.sqlite.sql import DOCUMENTS, Sql, filtered, join, union
from stats_pipeline.stores.sqlite.table import Table, decode_value

#: Few enough to hold, enough to make little of what each fetch costs.
_ROWS_AT_ONCE = 200


@contextmanager
def open_snapshot(database: Database, names: Sequence[str]) -> Iterator[SqliteSnapshot]:
    """Open a snapshot of these indices or aliases."""
    with database.snapshot() as connection:
        with database.translated(), in_sqlite():
            add_aggregates(connection)
            indices = _resolve(connection, names)
        snapshot = SqliteSnapshot(database, connection, indices)
        try:
            yield snapshot
        finally:
            snapshot.close()


class SqliteSnapshot:
    """Read the documents of some indices in one transaction.

    Iterators of one snapshot may be open at the same time; all of them end with it.
    """

    def __init__(
        self, database: Database, connection: sqlite3.Connection, indices: Mapping[str, Table]
    ) -> None:
        self._database = database
        self._connection = connection
        self._indices = indices
        self._source = union(indices)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def count(self, where: Filter) -> int:
        """Return how many documents the filter keeps."""
        sql = self._select([Sql("count(*)")], where)
        return int(next(self._rows(sql))[0])

    def scan(self, where: Filter, order_by: Sequence[str]) -> Iterator[Document]:
        """Yield the documents that the filter keeps, ascending by these fields (nulls first)."""
        table = Table("", self._source.types)
        order = ", ".join([*map(self._source.column, order_by), "_id", "_index"])
        select = self._select([Sql(f"_index, _id, _version{table.fields}")], where)
        return map(table.decode, self._rows(join("", [select, Sql(f" order by {order}")])))

    def groups(
        self,
        where: Filter,
        by: Sequence[str],
        metrics: Mapping[str, Metric],
        *,
        newest_by: Sequence[str] = (),
    ) -> Iterator[Group]:
        """Yield one group per combination of values of `by`, ascending."""
        unique_fields = {m.field for m in metrics.values() if isinstance(m, Unique)}
        documents = self._source.by_value(by, sorted(unique_fields))
        asked = measures(self._source, metrics, documents)
        place = newest_value(self._source, newest_by, "_index || '/' || _id")
        columns = [
            *map(Sql, documents.keys),
            filtered("count(*)", documents.once),
            Sql(place if newest_by else "null"),
            *(column for one in asked.values() for column in one.columns),
        ]
        grouped = ", ".join(documents.keys)
        tail = "".join(f" and {key} is not null" for key in documents.keys)
        tail += f" group by {grouped} order by {grouped}" if by else ""
        rows = self._rows(join("", [self._select(columns, where, documents.sql), Sql(tail)]))
        types = [self._source.types.get(field, "keyword") for field in by]
        return (self._group(row, types, asked) for row in rows)

    def close(self) -> None:
        """End all iterators, so that nothing keeps the transaction open."""
        for cursor in list(self._cursors):
            cursor.close()

    def _select(self, columns: Sequence[Sql], where: Filter, source: Sql | None = None) -> Sql:
        condition = self._source.condition(where.clauses)
        return join(
            "",
            [
                Sql("select "),
                join(", ", columns),
                Sql(" from ("),
                source or self._source.sql,
                Sql(f") as {DOCUMENTS} where "),
                condition,
            ],
        )

    def _rows(self, sql: Sql) -> Iterator[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        self._cursors.add(cursor)
        with self._database.translated(), in_sqlite():
            cursor.execute(sql.text, sql.parameters)
        while True:
            with self._database.translated(), in_sqlite():
                rows = cursor.fetchmany(_ROWS_AT_ONCE)
            if not rows:
                return
            yield from rows

    def _group(
        self, row: tuple[Any, ...], types: Sequence[str], asked: Mapping[str, Measure]
    ) -> Group:
        key = tuple(decode_value(of, value) for of, value in zip(types, row, strict=False))
        count, place = row[len(types) : len(types) + 2]
        position = len(types) + 2
        values = {}
        for name, one in asked.items():
            values[name] = one.read(row[position : position + len(one.columns)])
            position += len(one.columns)
        return Group(key, count, values, None if place is None else self._body(place))

    def _body(self, place: str) -> Mapping[str, Any]:
        index, _, document_id = place.partition("/")
        table = self._indices[index]
        sql = Sql(
            f"select _index, _id, _version{table.fields} from {table.name} "
            "where _index = ? and _id = ?",
            (index, document_id),
        )
        return table.decode(next(self._rows(sql))).body


def _resolve(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, Table]:
    tables = load_tables(connection)
    wanted = set(names)
    rows = connection.execute("select name, alias, aliased from _indices order by name")
    return {
        name: tables[alias]
        for name, alias, aliased in rows
        if name in wanted or (aliased and alias in wanted)
    }
