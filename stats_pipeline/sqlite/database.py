"""A SQLite file: transactions for all threads and processes, and clear errors."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stats_pipeline.errors import StatsError
from stats_pipeline.sqlite.connections import (
    BUSY_TIMEOUT_SECONDS,
    Connection,
    Owned,
    in_sqlite,
)

#: Longer than another process needs to make a new file ready.
BUSY_PAUSE_SECONDS = 0.02

#: How long the log is waited for while readers need it; most of them take milliseconds.
LOG_WAIT_SECONDS = 10.0

#: What goes away by itself or when somebody makes room; all else needs an operator.
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_PROTOCOL,
    }
)


class Database:
    """Give every thread of every process its own connection to one file.

    Args:
        path: the file; it and its folder are made on first use.
        schema: statements that may be run each time (``create ... if not exists``).
        added_columns: columns (table, name, definition) that files made by older versions lack.
        unavailable: raised where the same call may work later.
        refused: raised where an operator must act.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        schema: Sequence[str],
        added_columns: Sequence[tuple[str, str, str]] = (),
        unavailable: type[StatsError],
        refused: type[StatsError],
    ) -> None:
        self.path = Path(path)
        self._schema = schema
        self._added_columns = added_columns
        self._unavailable = unavailable
        self._refused = refused
        self._local = threading.local()
        self._generation = 0

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query that has few of them."""
        with self.translated(), in_sqlite():
            return self._connection().raw.execute(sql, parameters).fetchall()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend this thread's connection for a few reads that see the same data."""
        with self.translated(), in_sqlite():
            connection = self._connection().raw
            connection.execute("begin")
            try:
                yield connection
            finally:
                connection.execute("rollback")

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Be one transaction that writes: all of it on leaving, nothing of it on an exception.

        Args:
            durable: whether it survives a power failure; a killed process it always does.
        """
        with self.translated(), in_sqlite():
            connection = self._connection().raw
            connection.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Open a connection of its own that goes on seeing what its first read saw."""
        with self.translated(), in_sqlite():
            connection = self._open(is_lasting=True)
        try:
            with self.translated(), in_sqlite():
                connection.raw.execute("pragma query_only = on")
                connection.raw.execute("begin")
            yield connection.raw
        finally:
            connection.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn SQLite's errors into ours, with the name of the file."""
        try:
            yield
        except sqlite3.Error as error:
            # Errors that the sqlite3 module itself finds have no code.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code in _PASSING:
                raise self._unavailable(f"{self.path}: {error}; try again later") from error
            raise self._refused(f"{self.path}: {error}") from error

    def empty_log(self) -> None:
        """Move all that was written into the file itself and cut its log (WAL) to nothing.

        Raises `unavailable` where somebody goes on reading what was there before.
        """
        deadline = time.monotonic() + LOG_WAIT_SECONDS
        while not self._has_emptied_log():
            if time.monotonic() > deadline:
                raise self._unavailable(f"{self.path} is being read; try again later")
            time.sleep(BUSY_PAUSE_SECONDS)

    def close(self) -> None:
        """Close this thread's connection; other threads close theirs when they next come by."""
        self._generation += 1
        self._local.__dict__.pop("owned", None)

    def _connection(self) -> Connection:
        owned: Owned | None = self._local.__dict__.get("owned")
        if owned and owned.generation == self._generation and owned.connection.is_usable:
            return owned.connection
        connection = self._open(is_lasting=False)
        self._local.owned = Owned(connection, self._generation)
        return connection

    def _has_emptied_log(self) -> bool:
        with self.translated(), in_sqlite():
            connection = self._connection().raw
            # Not SQLite's own wait: it would keep this process from forking meanwhile.
            connection.execute("pragma busy_timeout = 0")
            try:
                is_busy = connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
            finally:
                connection.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
        return not is_busy

    def _open(self, *, is_lasting: bool) -> Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refused(f"{self.path}: its folder can't be made ({error})") from error
        connection = Connection(self.path, is_lasting=is_lasting)
        try:
            _enter_wal(connection.raw)
            # A processed message held raw data: it must not stay readable in the file's free
            # pages. Not every build of SQLite sees to that by itself.
            connection.raw.execute("pragma secure_delete = on")
            for statement in self._schema:
                connection.raw.execute(statement)
            for table, name, definition in self._added_columns:
                _add_column(connection.raw, table, name, definition)
        except BaseException:
            connection.close()
            raise
        return connection


def quote(name: str) -> str:
    """Return a name of a table or column as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def _add_column(connection: sqlite3.Connection, table: str, name: str, definition: str) -> None:
    find = "select 1 from pragma_table_info(?) where name = ?"
    if connection.execute(find, (table, name)).fetchone():
        return
    connection.execute("begin immediate")
    # Once more, since another process may have been faster.
    if not connection.execute(find, (table, name)).fetchone():
        connection.execute(f"alter table {quote(table)} add column {quote(name)} {definition}")
    connection.execute("commit")


def _enter_wal(connection: sqlite3.Connection) -> None:
    # Unlike all other statements this one doesn't wait where another process does the same.
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while not _is_wal(connection, must_be=time.monotonic() > deadline):
        time.sleep(BUSY_PAUSE_SECONDS)


def _is_wal(connection: sqlite3.Connection, *, must_be: bool) -> bool:
    try:
        connection.execute("pragma journal_mode = wal")
    except sqlite3.OperationalError as error:
        if must_be or error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
