"""SQLite files: which one a URL names, transactions, and connections that no fork can hurt."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from stats_pipeline.errors import ConfigurationError, StoreRefused, StoreUnavailable
from stats_pipeline.sqlite import Database, database_path
from stats_pipeline.sqlite.connections import _OPEN

FORKING = Path(__file__).with_name("forking.py")
ENDS_WITHIN_SECONDS = 60


def make_database(path: Path) -> Database:
    """Return a database with one table of numbers."""
    schema = ["create table if not exists numbers (n integer)"]
    return Database(path, schema=schema, unavailable=StoreUnavailable, refused=StoreRefused)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Give a database of its own."""
    database = make_database(tmp_path / "numbers.db")
    yield database
    database.close()


def add(database: Database, number: int) -> None:
    """Write one number."""
    with database.write() as connection:
        connection.execute("insert into numbers values (?)", (number,))


def numbers(database: Database) -> list[int]:
    """Return all numbers."""
    return [row[0] for row in database.read("select n from numbers order by n")]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///stats.db", "stats.db"),
        ("sqlite:////var/lib/stats.db", "/var/lib/stats.db"),
        ("sqlite:///a b/ä%20?.db", "a b/ä%20?.db"),
    ],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    """What follows the third slash should be the path as it is."""
    assert database_path(url) == Path(path)


@pytest.mark.parametrize("url", ["sqlite:", "sqlite:/stats.db", "sqlite:///", "xsqlite:///a", ""])
def test_a_url_without_a_file_is_refused(url: str) -> None:
    """The error should show how a file is written."""
    with pytest.raises(ConfigurationError, match="names no SQLite file; write 'sqlite:///FILE'"):
        database_path(url)


def test_a_private_file_is_gone_with_its_process_only() -> None:
    """The end of a forked child should leave the file to its parent."""
    done = subprocess.run(
        [sys.executable, "-W", "error", FORKING, "private-file"],
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_SECONDS,
        check=True,
    )
    path = Path(done.stdout.strip())
    assert path.name == "stats.db"
    assert not path.parent.exists()


def test_an_exception_undoes_a_transaction(database: Database) -> None:
    """Nothing of it should remain, and the connection should go on working."""
    add(database, 1)

    def fail() -> None:
        with database.write() as connection:
            connection.execute("insert into numbers values (2)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    add(database, 3)
    assert numbers(database) == [1, 3]


def test_a_snapshot_does_not_keep_others_from_writing(database: Database) -> None:
    """It should go on seeing what its first read saw, also through this thread's writes."""
    add(database, 1)
    with database.snapshot() as connection:
        assert connection.execute("select count(*) from numbers").fetchone() == (1,)
        add(database, 2)
        assert connection.execute("select count(*) from numbers").fetchone() == (1,)
    assert numbers(database) == [1, 2]


def test_a_snapshot_can_not_be_written(database: Database) -> None:
    """Its connection is for reading."""
    with database.snapshot() as connection, pytest.raises(StoreRefused), database.translated():
        connection.execute("insert into numbers values (1)")


def test_a_thread_takes_its_connection_with_it(database: Database) -> None:
    """No connection should stay open after the thread that used it."""
    add(database, 1)
    before = len(_OPEN)
    for number in range(3):
        thread = Thread(target=add, args=(database, number))
        thread.start()
        thread.join()
    assert len(_OPEN) == before
    database.close()
    assert len(_OPEN) == before - 1


def test_a_commit_waits_for_the_disk_only_where_it_must(database: Database) -> None:
    """The disk should be waited for unless the caller says that a power failure does not matter."""
    for durable, level in ((True, 2), (False, 1), (True, 2)):
        with database.write(durable=durable) as connection:
            assert connection.execute("pragma synchronous").fetchone() == (level,)


@pytest.mark.parametrize(
    ("program", "expected"),
    [("both-write", range(40)), ("in-write", range(10)), ("in-busy-parent", range(10))],
)
def test_a_child_and_its_parent_lose_no_write(
    tmp_path: Path, program: str, expected: range
) -> None:
    """Both write, whatever the parent's threads do at the fork, also when the other ends."""
    path = tmp_path / "numbers.db"
    assert fork(program, path) == ""
    database = make_database(path)
    assert [number for number in numbers(database) if number >= 0] == list(expected)
    assert database.read("pragma integrity_check") == [("ok",)]
    database.close()


def test_a_child_refuses_a_file_that_was_being_read_at_the_fork(tmp_path: Path) -> None:
    """It should say why, and the parent's snapshot should not suffer from the child's end."""
    said = fork("in-snapshot", tmp_path / "numbers.db")
    assert "StoreRefused" in said
    assert "forked while this file was being read" in said


def test_a_child_never_uses_a_connection_of_its_parent(tmp_path: Path) -> None:
    """Where the fork could not wait any longer, each of its threads is refused, and says why."""
    path = tmp_path / "numbers.db"
    said = fork("in-endless-write", path).splitlines()
    assert len(said) == 2
    assert all(line.startswith("StoreRefused") and "fork earlier" in line for line in said)
    database = make_database(path)
    assert numbers(database) == [0, 1, 2, 3], "the parent's thread was not hurt"
    database.close()


def fork(program: str, path: Path) -> str:
    """Run a program of `forking.py` at this file; return what it has said."""
    done = subprocess.run(
        [sys.executable, "-W", "error", FORKING, program, path],
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
