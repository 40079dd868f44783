"""The queue in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from math import inf
from pathlib import Path

from stats_pipeline.clock import Clock, SystemClock, epoch_milliseconds
from stats_pipeline.errors import QueueRefused, QueueUnavailable
from stats_pipeline.queues.protocol import Message, Seen
from stats_pipeline.queues.sqlite.owners import is_gone, new_owner
from stats_pipeline.sqlite import Database
from stats_pipeline.text import noun

#: How long a message is held for a consumer of which nobody can tell whether it lives, or which
#: hangs. If it does come back, a message was given to two consumers, which is harmless: what they
#: write has the same ids and versions.
HOLD_MILLISECONDS = 5 * 60 * 1000

_END_OF_TIME = 2**62

#: Ids are never used twice ("autoincrement"): a late acknowledgement must not remove another
#: message. The indices are partial, so that the next free message is found at once among many.
_TABLES = (
    "create table if not exists _queues (name text primary key)",
    """create table if not exists _messages (
        id integer primary key autoincrement,
        queue text not null, owner text, held_until integer, body blob not null, published integer,
        returned integer
    )""",
    "create index if not exists _messages_free on _messages (queue, id) where owner is null",
    """create index if not exists _messages_held on _messages (queue, owner, held_until)
        where owner is not null""",
)

#: When it was published, in milliseconds since 1970, and how often a holder was lost. Null where a
#: version before this one wrote it: such a message is as old as the first look at its age.
_ADDED_COLUMNS = (("_messages", "published", "integer"), ("_messages", "returned", "integer"))

#: Expired in batches of this many, so that nobody waits for long.
_EXPIRED_AT_ONCE = 1_000

#: Of the file; what acknowledged messages held is free again.
_USED_BYTES = (
    "select (page_count - freelist_count) * page_size "
    "from pragma_page_count, pragma_freelist_count, pragma_page_size"
)

_FREE = "from _messages where queue = ? and owner is null order by id limit 1"
_EXPIRED = "from _messages where owner is null and published < ?"


class SqliteQueue:
    """Keep messages in one file; see `stats_pipeline.queues.protocol.Queue`.

    Args:
        path: the file, which may be the store's.
        clock: for how long messages are held.
        limit_bytes: of the file; what comes when it is reached is refused.
    """

    def __init__(
        self, path: str | Path, *, clock: Clock | None = None, limit_bytes: float = inf
    ) -> None:
        self._clock = clock or SystemClock()
        self.limit_bytes = limit_bytes
        self._database = Database(
            path,
            schema=_TABLES,
            added_columns=_ADDED_COLUMNS,
            unavailable=QueueUnavailable,
            refused=QueueRefused,
        )

    def declare(self, names: Sequence[str]) -> None:
        """Make these queues exist; harmless where they do."""
        if all(self.exists(name) for name in names):
            return
        with self._database.write() as connection:
            _declare(connection, names)

    def exists(self, name: str) -> bool:
        """Tell whether the queue was declared."""
        return bool(self._database.read("select 1 from _queues where name = ?", (name,)))

    def used_bytes(self) -> int:
        """Return how much of the file is in use."""
        ((used,),) = self._database.read(_USED_BYTES)
        return int(used)

    def names(self) -> list[str]:
        """Return the names of the declared queues."""
        return [name for (name,) in self._database.read("select name from _queues order by name")]

    def publish(self, name: str, bodies: Sequence[bytes]) -> None:
        """Put all of these messages into a queue, or on an error none, declaring it first."""
        with self._database.write() as connection:
            self._refuse_if_full(connection)
            _declare(connection, [name])
            now = epoch_milliseconds(self._clock.now())
            connection.executemany(
                "insert into _messages (queue, body, published) values (?, ?, ?)",
                [(name, body, now) for body in bodies],
            )

    @contextmanager
    def consume(self, name: str) -> Iterator[SqliteConsumer]:
        """Open a consumer of a queue."""
        consumer = SqliteConsumer(self._database, name, self._clock)
        try:
            yield consumer
        finally:
            consumer.close()

    def depth(self, name: str) -> int:
        """Return how many messages wait, without those that consumers hold."""
        _free_lost(self._database, name, self._clock)
        sql = "select count(*) from _messages where queue = ? and owner is null"
        return int(self._database.read(sql, (name,))[0][0])

    def is_empty(self, name: str) -> bool:
        """Tell whether a queue has no messages, also none that consumers hold."""
        # Two questions, since each has its index; in one statement, since a message that is taken
        # between them would be in the answer to neither.
        free, held = (
            f"exists (select 1 from _messages where queue = ? and owner {state})"
            for state in ("is null", "is not null")
        )
        ((is_there,),) = self._database.read(f"select {free} or {held}", (name, name))
        return not is_there

    def look(self, name: str, see: Callable[[bytes], Seen | None], *, most: int) -> Seen | None:
        """Show `see` waiting messages until it returns something; nobody is kept from them."""
        _free_lost(self._database, name, self._clock)
        sql = "select id, body from _messages where queue = ? and owner is null and id > ? "
        last, seen = 0, None
        for _ in range(most):
            # One by one, since messages may be large.
            rows = self._database.read(sql + "order by id limit 1", (name, last))
            if not rows:
                break
            ((last, body),) = rows
            seen = see(body)
            if seen is not None:
                break
        return seen

    def expired(self, before: datetime) -> Mapping[str, int]:
        """Return how many messages of each queue were published before this time.

        Without those that consumers hold.
        """
        sql = f"select queue, count(*) {_EXPIRED} group by queue order by queue"
        return dict(self._database.read(sql, (epoch_milliseconds(before),)))

    def expire(self, before: datetime) -> Iterator[Mapping[str, int]]:
        """Delete those messages for good; yield how many of each queue after each batch."""
        for name in self.names():
            _free_lost(self._database, name, self._clock)
        now = epoch_milliseconds(self._clock.now())
        with self._database.write() as connection:
            connection.execute("update _messages set published = ? where published is null", (now,))
        while batch := self._expire_some(epoch_milliseconds(before)):
            yield batch

    def expunge(self) -> None:
        """Remove from the disk what was deleted.

        Raises QueueUnavailable where somebody goes on reading it.
        """
        self._database.empty_log()

    def _expire_some(self, limit: int) -> Mapping[str, int]:
        with self._database.write() as connection:
            rows = connection.execute(
                f"select id, queue {_EXPIRED} limit {_EXPIRED_AT_ONCE}", (limit,)
            ).fetchall()
            connection.executemany("delete from _messages where id = ?", [row[:1] for row in rows])
        return Counter(name for _, name in rows)

    def check(self) -> str:
        """Return the file and how many messages it holds; raise where it takes no more."""
        with self._database.write() as connection:
            self._refuse_if_full(connection)
            count = connection.execute("select count(*) from _messages").fetchone()[0]
        messages = f"{count} {noun(count, 'message')}"
        return f"SQLite {sqlite3.sqlite_version}, {self._database.path}: {messages}"

    def close(self) -> None:
        """Let go of connections; the queue may be used again and opens new ones."""
        self._database.close()

    def _refuse_if_full(self, connection: sqlite3.Connection) -> None:
        ((used,),) = connection.execute(_USED_BYTES)
        if used >= self.limit_bytes:
            raise QueueUnavailable(
                f"{self._database.path} is full: it holds {self.limit_bytes:,} bytes"
            )


class SqliteConsumer:
    """Hold messages of one queue under a name of its own."""

    def __init__(self, database: Database, name: str, clock: Clock) -> None:
        self._database = database
        self._name = name
        self._clock = clock
        self._owner = new_owner()
        self._held: set[int] = set()
        _free_lost(database, name, clock)

    def take(self) -> Message | None:
        """Return the oldest message that nobody holds, None where there is none."""
        message = self._take_free()
        if message is None and _free_lost(self._database, self._name, self._clock):
            message = self._take_free()
        return message

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Remove these messages from the queue for good; durable when it returns."""
        # Whoever holds them now: their work is done.
        with self._database.write() as connection:
            connection.executemany(
                "delete from _messages where id = ?", [(message.tag,) for message in messages]
            )
        self._held.difference_update(message.tag for message in messages)

    def close(self) -> None:
        """Give back what was not acknowledged."""
        if not self._held:
            return
        with self._database.write(durable=False) as connection:
            connection.execute(
                "update _messages set owner = null where queue = ? and owner = ?",
                (self._name, self._owner),
            )
        self._held.clear()

    def _take_free(self) -> Message | None:
        if not self._database.read(f"select 1 {_FREE}", (self._name,)):
            return None  # An empty queue is not worth the lock.
        held_until = epoch_milliseconds(self._clock.now()) + HOLD_MILLISECONDS
        # Not durable, and so without a wait for the disk: what a power failure undoes is that a
        # message was held by a process which that power failure ended.
        with self._database.write(durable=False) as connection:
            row = connection.execute(
                f"select id, body, coalesce(returned, 0) {_FREE}", (self._name,)
            ).fetchone()
            if row is None:
                return None
            connection.execute(
                "update _messages set owner = ?, held_until = ? where id = ?",
                (self._owner, held_until, row[0]),
            )
        self._held.add(row[0])
        return Message(body=row[1], tag=row[0], returned=row[2])


def _declare(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    connection.executemany("insert or ignore into _queues values (?)", [(name,) for name in names])


def _free_lost(database: Database, name: str, clock: Clock) -> bool:
    """Give back messages of dead consumers and those held for too long; tell if there were any."""
    now = epoch_milliseconds(clock.now())
    owners = database.read(
        "select owner, min(held_until) from _messages "
        "where queue = ? and owner is not null group by owner",
        (name,),
    )
    lost = []
    for owner, held_until in owners:
        # From a dead consumer all, from others what they have held for too long.
        limit = _END_OF_TIME if is_gone(owner) else now
        if held_until <= limit:
            lost.append((name, owner, limit))
    if not lost:
        return False
    with database.write(durable=False) as connection:
        connection.executemany(
            "update _messages set owner = null, returned = coalesce(returned, 0) + 1 "
            "where queue = ? and owner = ? and held_until <= ?",
            lost,
        )
    return True
