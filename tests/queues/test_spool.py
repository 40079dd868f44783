"""The spool: a queue in a local file whose messages expire, since they hold raw data."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stats_pipeline.clock import ManualClock
from stats_pipeline.queues.sqlite import SqliteQueue
from tests.queues.contract import drain

DAY_SECONDS = 24 * 60 * 60
SECRET = b"unmistakable-user"

#: As versions before the column `published` made it.
OLD_TABLES = """
create table _queues (name text primary key);
create table _messages (
    id integer primary key autoincrement,
    queue text not null, owner text, held_until integer, body blob not null
);
insert into _queues values ('a');
insert into _messages (queue, body) values ('a', x'6f6c64');
"""


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock of 2017."""
    return ManualClock(datetime(2017, 1, 1, tzinfo=UTC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the spool's file, which is not there yet."""
    return tmp_path / "spool.db"


@pytest.fixture
def spool(path: Path, clock: ManualClock) -> Iterator[SqliteQueue]:
    """Give a spool of its own."""
    spool = SqliteQueue(path, clock=clock)
    yield spool
    spool.close()


def a_day_ago(clock: ManualClock) -> datetime:
    """Return the time of the clock, a day back."""
    return clock.now() - timedelta(days=1)


def test_messages_expire_by_the_time_at_which_they_were_spooled(
    spool: SqliteQueue, clock: ManualClock
) -> None:
    """Those of before, of all queues, in batches that are counted for each queue."""
    for name, number in (("b", 2), ("a", 1_500)):
        spool.publish(name, [SECRET] * number)
    clock.advance(DAY_SECONDS)
    spool.publish("a", [b"new"])
    assert list(spool.expire(a_day_ago(clock))) == []
    clock.advance(0.001)
    assert spool.expired(a_day_ago(clock)) == {"a": 1_500, "b": 2}
    assert spool.depth("a") == 1_501
    batches = list(spool.expire(a_day_ago(clock)))
    assert sum(map(Counter, batches), Counter()) == {"a": 1_500, "b": 2}
    assert len(batches) == 2
    assert (drain(spool, "a"), drain(spool, "b")) == ([b"new"], [])


def test_nothing_of_an_expired_message_is_left_in_any_file(
    spool: SqliteQueue, path: Path, clock: ManualClock
) -> None:
    """Neither in the file nor in its log, while it stays open."""
    spool.publish("a", [SECRET * 1_000])
    clock.advance(2 * DAY_SECONDS)
    assert list(spool.expire(a_day_ago(clock))) == [{"a": 1}]
    spool.expunge()
    assert not any(SECRET in file.read_bytes() for file in path.parent.iterdir())


def test_a_message_that_is_being_sent_does_not_expire(
    spool: SqliteQueue, clock: ManualClock
) -> None:
    """Whoever holds it is about to bring it home; if it is given back, it goes the next time."""
    spool.publish("a", [b"a"])
    clock.advance(2 * DAY_SECONDS)
    with spool.consume("a") as consumer:
        assert consumer.take() is not None
        assert list(spool.expire(a_day_ago(clock))) == []
    assert list(spool.expire(a_day_ago(clock))) == [{"a": 1}]


def test_a_spool_of_an_older_version_is_taken_over(path: Path, clock: ManualClock) -> None:
    """Its messages are sent as ever; their age counts from the first look at it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_TABLES)
    spool = SqliteQueue(path, clock=clock)
    spool.publish("a", [b"new"])
    assert list(spool.expire(clock.now())) == []
    clock.advance(2 * DAY_SECONDS)
    assert spool.expired(a_day_ago(clock)) == {"a": 2}
    assert drain(SqliteQueue(path, clock=clock), "a") == [b"new", b"old"]
    spool.close()
