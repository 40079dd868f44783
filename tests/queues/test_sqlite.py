"""The embedded queue: the contract on a SQLite file, and what only a file has."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scripts.services.server import wait_until
from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import QueueRefused, QueueUnavailable
from stats_pipeline.queues.sqlite import SqliteQueue
from stats_pipeline.queues.sqlite.owners import is_gone, new_owner
from stats_pipeline.queues.sqlite.queue import _FREE, HOLD_MILLISECONDS
from stats_pipeline.stores.protocol import Record
from stats_pipeline.stores.sqlite import SqliteStore
from tests.queues.contract import QueueContract, drain


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file in a folder that does not exist yet."""
    return tmp_path / "instance" / "stats.db"


@pytest.fixture
def queue(path: Path) -> Iterator[SqliteQueue]:
    """Give a queue of its own."""
    queue = SqliteQueue(path)
    yield queue
    queue.close()


@pytest.fixture
def second_queue(path: Path) -> Iterator[SqliteQueue]:
    """Give another client of the same file."""
    queue = SqliteQueue(path)
    yield queue
    queue.close()


@pytest.fixture
def queue_url(path: Path) -> str:
    """Give the URL by which another process opens the same file."""
    return f"sqlite:///{path}"


class TestSqliteQueue(QueueContract):
    """Keep the contract in a SQLite file."""


def test_a_message_held_for_too_long_is_given_to_the_next(path: Path) -> None:
    """A consumer that hangs should not keep a message for ever; its late work is harmless."""
    clock = ManualClock(datetime(2016, 12, 18, tzinfo=UTC))
    queue = SqliteQueue(path, clock=clock)
    queue.publish("q", [b"a", b"b"])
    with queue.consume("q") as slow, queue.consume("q") as next_one:
        held = slow.take()
        assert held is not None
        clock.advance(HOLD_MILLISECONDS / 1000 - 1)
        other = next_one.take()
        assert other is not None
        assert (held.body, other.body) == (b"a", b"b")
        assert next_one.take() is None
        clock.advance(1)
        again = next_one.take()
        assert again is not None
        assert (again.body, again.tag, again.returned) == (held.body, held.tag, 1)
        slow.acknowledge([held])
        assert queue.depth("q") == 0
    assert drain(queue, "q") == [b"b"]
    queue.close()


def test_a_late_acknowledgement_removes_no_other_message(queue: SqliteQueue) -> None:
    """Numbers of messages should never be used twice."""
    queue.publish("q", [b"a"])
    with queue.consume("q") as consumer:
        message = consumer.take()
        assert message is not None
        consumer.acknowledge([message])
        queue.publish("q", [b"b"])
        consumer.acknowledge([message])
    assert drain(queue, "q") == [b"b"]


def test_publishing_a_list_is_all_or_nothing(queue: SqliteQueue) -> None:
    """A body that can't be stored should leave none of its list behind."""
    bodies: list[Any] = [b"a", b"b", None]
    with pytest.raises(QueueRefused, match=r"stats\.db"):
        queue.publish("q", bodies)
    assert not queue.exists("q")
    assert queue.depth("q") == 0


def test_the_next_message_is_found_without_looking_at_others(
    queue: SqliteQueue, path: Path
) -> None:
    """However many messages wait, the next one should come from an index, not from a scan."""
    queue.publish("q", [b"a"])
    with closing(sqlite3.connect(path)) as connection:
        plan = connection.execute(f"explain query plan select body {_FREE}", ["q"]).fetchall()
    assert [row[3] for row in plan] == ["SEARCH _messages USING INDEX _messages_free (queue=?)"]


def test_a_queue_and_a_store_may_share_a_file(queue: SqliteQueue, path: Path) -> None:
    """That is the embedded pair."""
    store = SqliteStore(path)
    queue.publish("q", [b"a"])
    assert store.state.create(Record("kind", "key"))
    assert drain(queue, "q") == [b"a"]
    store.close()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_path_that_can_not_be_a_queue_is_refused_by_name(path: Path, kind: str) -> None:
    """An operator should be told which file it is."""
    path.parent.mkdir()
    if kind == "file":
        path.write_text("This is a letter, not a database. " * 50)
    else:
        path.mkdir()
    with pytest.raises(QueueRefused, match=f"{path}: "):
        SqliteQueue(path).publish("q", [b"a"])


def test_a_consumer_of_this_process_is_there() -> None:
    """Only what certainly ended is gone: not this process, nor one of another machine."""
    owner = new_owner()
    assert not is_gone(owner)
    assert not is_gone(owner.replace(owner.split(" ")[0], "elsewhere"))
    assert owner != new_owner()


def test_a_process_that_took_the_number_of_another_is_told_apart() -> None:
    """The time of the start should count, since the system uses numbers again."""
    host, pid, started, own = new_owner().split(" ")
    assert is_gone(f"{host} {pid} {int(started) - 1} {own}")


def test_a_killed_process_is_gone_even_before_its_parent_asks_for_it() -> None:
    """A zombie should hold no message: its parent may never look after it."""
    program = (
        "from stats_pipeline.queues.sqlite.owners import new_owner\n"
        "print(new_owner(), flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        owner = process.stdout.readline().strip()
        assert not is_gone(owner)
        process.kill()
        wait_until(lambda: is_gone(owner), timeout_seconds=10)
        assert process.returncode is None
    assert is_gone(owner)


def test_a_system_without_proc_tells_running_processes_from_ended_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the number of a process has to do."""
    monkeypatch.setattr("stats_pipeline.queues.sqlite.owners._PROC", tmp_path / "none")
    host, _, started, own = new_owner().split(" ")
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as process:
        owner = f"{host} {process.pid} {started} {own}"
        assert not is_gone(owner)
    assert is_gone(owner)


def test_a_queue_of_limited_size_refuses_what_is_too_much(tmp_path: Path) -> None:
    """It says so, takes nothing of it, and has room again when messages are acknowledged."""
    queue = SqliteQueue(tmp_path / "spool.db", limit_bytes=300_000)
    with pytest.raises(QueueUnavailable, match="is full: it holds 300,000 bytes"):
        _publish_without_end(queue)
    before = queue.depth("q")
    assert 0 < before < 20
    with queue.consume("q") as consumer:
        taken = [message for _ in range(3) if (message := consumer.take())]
        consumer.acknowledge(taken)
    queue.publish("q", [b"x"])
    assert queue.depth("q") == before - 2
    queue.close()


def _publish_without_end(queue: SqliteQueue) -> None:
    for _ in range(100):
        queue.publish("q", [bytes(20_000)])
