"""The store in a SQLite file."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from stats_pipeline.errors import StoreRefused, StoreUnavailable
from stats_pipeline.sqlite import Database
from stats_pipeline.stores.protocol import (
    Delete,
    Document,
    ItemResult,
    Operation,
    Put,
    Snapshot,
    State,
    Verdict,
)
from stats_pipeline.stores.sqlite.schema import CATALOGUE, ensure_table, tables_by_index
from stats_pipeline.stores.sqlite.snapshot import open_snapshot
from stats_pipeline.stores.sqlite.state import STATE_TABLE, SqliteState
from stats_pipeline.stores.sqlite.table import Table
from stats_pipeline.templates import IndexTemplate
from stats_pipeline.text import noun

#: Smaller than SQLite's limit of parameters in old versions.
_IDS_AT_ONCE = 500

_DONE = ItemResult(Verdict.DONE)
_DUPLICATE = ItemResult(
    Verdict.DUPLICATE, "the stored document has the same version or a higher one"
)


class SqliteStore:
    """Keep documents and state in one file; see `stats_pipeline.stores.protocol.Store`."""

    state: State

    def __init__(self, path: str | Path) -> None:
        self._database = Database(
            path,
            schema=(*CATALOGUE, *STATE_TABLE),
            unavailable=StoreUnavailable,
            refused=StoreRefused,
        )
        self.state = SqliteState(self._database)

    def put_template(self, template: IndexTemplate) -> None:
        """Make the alias's table and view, or add the columns that the template has new."""
        ensure_table(self._database, template)

    def create_index(self, name: str, template: IndexTemplate, *, aliased: bool) -> str:
        """Create the index if it is missing and return its UUID; two callers get the same one."""
        ensure_table(self._database, template)
        with self._database.write() as connection:
            connection.execute(
                "insert or ignore into _indices (name, alias, uuid, aliased) values (?, ?, ?, ?)",
                (name, template.alias, uuid.uuid4().hex, aliased),
            )
            if aliased:
                connection.execute("update _indices set aliased = true where name = ?", (name,))
        return self.index_uuids([name])[name]

    def index_uuids(self, names: Sequence[str]) -> dict[str, str]:
        """Return the UUIDs of those of these indices that exist."""
        uuids: dict[str, str] = dict(self._database.read("select name, uuid from _indices"))
        return {name: uuids[name] for name in names if name in uuids}

    def swap_alias(self, alias: str, *, add: Sequence[str], remove: Sequence[str]) -> None:
        """Move an alias from some indices to others in one step; readers never see neither."""
        change = "update _indices set aliased = ? where name = ? and alias = ?"
        with self._database.write() as connection:
            for name in remove:
                connection.execute(change, (False, name, alias))
            for name in add:
                if connection.execute(change, (True, name, alias)).rowcount == 0:
                    raise StoreRefused(f"there is no index {name!r} made for the alias {alias!r}")

    def delete_indices(self, names: Sequence[str]) -> None:
        """Delete these indices and their documents; missing ones are deleted already."""
        with self._database.write() as connection:
            tables = tables_by_index(connection)
            for name in tables.keys() & set(names):
                connection.execute(f"delete from {tables[name].name} where _index = ?", (name,))
                connection.execute("delete from _indices where name = ?", (name,))

    def bulk(self, operations: Sequence[Operation]) -> list[ItemResult]:
        """Do these operations in one transaction and return one verdict for each, in order."""
        with self._database.write() as connection:
            tables = tables_by_index(connection)
            return [_apply(connection, tables, operation) for operation in operations]

    def get(self, index: str, ids: Sequence[str]) -> list[Document | None]:
        """Return documents by id, in order, seeing the last write."""
        with self._database.reading() as connection:
            table = tables_by_index(connection).get(index)
            found = {} if table is None else _read(connection, table, index, ids)
        return [found.get(document_id) for document_id in ids]

    def refresh(self, names: Sequence[str]) -> None:
        """Do nothing: new snapshots see all that was written."""

    def snapshot(self, names: Sequence[str]) -> AbstractContextManager[Snapshot]:
        """Open a snapshot of these indices or aliases."""
        return open_snapshot(self._database, names)

    def check(self) -> str:
        """Return the file and how many indices it holds; raise where it can't be written."""
        with self._database.write() as connection:
            count = connection.execute("select count(*) from _indices").fetchone()[0]
        indices = f"{count} {noun(count, 'index', 'indices')}"
        return f"SQLite {sqlite3.sqlite_version}, {self._database.path}: {indices}"

    def close(self) -> None:
        """Let go of connections; the store may be used again and opens new ones."""
        self._database.close()


def _apply(
    connection: sqlite3.Connection, tables: Mapping[str, Table], operation: Operation
) -> ItemResult:
    table = tables.get(operation.index)
    if table is None:
        return ItemResult(Verdict.FAULT, f"there is no index {operation.index!r}")
    if isinstance(operation, Delete):
        return _delete(connection, table, operation)
    return _put(connection, table, operation)


def _delete(connection: sqlite3.Connection, table: Table, delete: Delete) -> ItemResult:
    place = "_index = ? and _id = ?"
    newer = f"select 1 from {table.name} where {place} and _version > ?"
    if connection.execute(newer, (delete.index, delete.id, delete.version)).fetchone():
        return _DUPLICATE
    connection.execute(f"delete from {table.name} where {place}", (delete.index, delete.id))
    return _DONE


def _put(connection: sqlite3.Connection, table: Table, put: Put) -> ItemResult:
    sql = table.put_same_sql if put.is_same else table.put_newer_sql
    if put.version is None:
        sql = table.put_sql
    try:
        values = table.encode(put.body)
        row = [put.index, put.id, put.version, *values]
        written = connection.execute(sql, row).rowcount == 1
    except (ValueError, TypeError, OverflowError, sqlite3.DataError) as error:
        return ItemResult(Verdict.NEVER, str(error))
    for field in table.lists_of(values) - table.lists:
        connection.execute("insert or ignore into _lists values (?, ?)", (table.alias, field))
    return _DONE if written else _DUPLICATE


def _read(
    connection: sqlite3.Connection, table: Table, index: str, ids: Sequence[str]
) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"select _index, _id, _version{table.fields} from {table.name} "
            f"where _index = ? and _id in ({marks})",
            (index, *some),
        )
        found.update((row[1], table.decode(row)) for row in rows)
    return found
