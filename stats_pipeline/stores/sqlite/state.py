"""State records in a SQLite table, changed by compare-and-swap."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from stats_pipeline.clock import EPOCH, MILLISECOND, epoch_milliseconds
from stats_pipeline.sqlite import Database
from stats_pipeline.stores.protocol import Record

#: A version is a row's number, which SQLite never gives twice ("autoincrement"), so that a record
#: that was deleted and made again is not taken for the old one.
_ROWS = """(
        version integer primary key autoincrement,
        kind text not null, key text not null, grp text not null, time integer not null,
        tags text not null, body text not null,
        unique (kind, key)
    )"""

STATE_TABLE = (
    f"create table if not exists _state {_ROWS}",
    "create index if not exists _state_by_time on _state (kind, time, key)",
    "create index if not exists _state_by_group on _state (kind, grp, time, key)",
)

#: Pages that are given up are filled with zeros ("secure_delete"), but what moved from one page
#: that is kept to another may still be read in the first one. So all of them are given up. The
#: numbers of versions go on where they were.
_MOVE = (
    f"create table _state_moved {_ROWS}",
    "insert into _state_moved select * from _state order by version",
    "delete from sqlite_sequence where name = '_state_moved'",
    "update sqlite_sequence set name = '_state_moved' where name = '_state'",
    "drop table _state",
    "alter table _state_moved rename to _state",
    *STATE_TABLE,
)

#: How many records `find` reads at a time; it holds no lock between pages.
PAGE_SIZE = 500

#: Smaller than SQLite's limit of parameters in old versions.
_KEYS_AT_ONCE = 500

#: Stands for no time, and so sorts before all of them.
_NO_TIME = -(2**63)

_COLUMNS = "kind, key, grp, time, tags, body, version"


class SqliteState:
    """Keep state records in the table `_state`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, kind: str, keys: Sequence[str]) -> list[Record | None]:
        """Return the records of these keys, in their order, None where there is none."""
        found: dict[str, Record] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
            marks = ", ".join("?" * len(some))
            rows = self._database.read(
                f"select {_COLUMNS} from _state where kind = ? and key in ({marks})", [kind, *some]
            )
            found.update((row[1], _decode(row)) for row in rows)
        return [found.get(key) for key in keys]

    def put(self, records: Sequence[Record]) -> None:
        """Write these records whatever was there before; durable when it returns."""
        with self._database.write() as connection:
            for record in records:
                _insert(connection, "insert or replace", record)

    def create(self, record: Record) -> bool:
        """Write the record if there is none of its kind and key; tell whether it was written."""
        with self._database.write() as connection:
            return _insert(connection, "insert or ignore", record)

    def swap(self, records: Sequence[Record]) -> list[bool]:
        """Write each record if the stored one still has its version; tell which were written."""
        with self._database.write() as connection:
            return [
                _delete(connection, record) and _insert(connection, "insert", record)
                for record in records
            ]

    def delete(self, record: Record) -> bool:
        """Remove the record if the stored one still has its version; tell whether it was."""
        with self._database.write() as connection:
            return _delete(connection, record)

    def find(
        self,
        kind: str,
        *,
        group: str | None = None,
        lacking: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[Record]:
        """Yield records by time, then key, seeing every write that had returned before the call."""
        clauses: list[str] = ["kind = ?"]
        parameters: list[Any] = [kind]
        for clause, value in (
            ("grp = ?", group),
            ("not exists (select 1 from json_each(tags) where value = ?)", lacking),
            ("time >= ?", None if start is None else epoch_milliseconds(start)),
            (f"time > {_NO_TIME} and time < ?", None if end is None else epoch_milliseconds(end)),
        ):
            if value is not None:
                clauses.append(clause)
                parameters.append(value)
        return self._pages(" and ".join(clauses), parameters)

    def expunge(self) -> None:
        """Move all records to new pages, so that nothing of older ones is left in any file."""
        with self._database.write() as connection:
            for statement in _MOVE:
                connection.execute(statement)
        self._database.empty_log()

    def _pages(self, condition: str, parameters: Sequence[Any]) -> Iterator[Record]:
        after: tuple[Any, ...] = (_NO_TIME, "")
        comparison = ">="  # The first page begins with the least record that can be.
        while True:
            rows = self._database.read(
                f"select {_COLUMNS} from _state where {condition} and "
                f"(time, key) {comparison} (?, ?) order by time, key limit {PAGE_SIZE}",
                (*parameters, *after),
            )
            yield from map(_decode, rows)
            if len(rows) < PAGE_SIZE:
                return
            after, comparison = (rows[-1][3], rows[-1][1]), ">"


def _insert(connection: sqlite3.Connection, verb: str, record: Record) -> bool:
    done = connection.execute(
        f"{verb} into _state (kind, key, grp, time, tags, body) values (?, ?, ?, ?, ?, ?)",
        (
            record.kind,
            record.key,
            record.group,
            _NO_TIME if record.time is None else epoch_milliseconds(record.time),
            json.dumps(sorted(record.tags)),
            json.dumps(dict(record.body)),
        ),
    )
    return done.rowcount == 1


def _delete(connection: sqlite3.Connection, record: Record) -> bool:
    done = connection.execute(
        "delete from _state where kind = ? and key = ? and version = ?",
        (record.kind, record.key, record.version),
    )
    return done.rowcount == 1


def _decode(row: tuple[Any, ...]) -> Record:
    kind, key, group, time, tags, body, version = row
    return Record(
        kind=kind,
        key=key,
        group=group,
        time=None if time == _NO_TIME else EPOCH + time * MILLISECOND,
        tags=frozenset(json.loads(tags)),
        body=json.loads(body),
        version=version,
    )
