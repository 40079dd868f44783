"""Fork with SQLite files in use; run as programs of their own by `test_sqlite.py`.

Children end as Python programs do (not by `os._exit`), since that frees what they inherited.
"""

import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from stats_pipeline.errors import StatsError, StoreRefused, StoreUnavailable
from stats_pipeline.sqlite import Database, connections, database_path


def private_file() -> None:
    """Let a child end, and say the path of the file if that is still there."""
    path = database_path("sqlite://")
    database = _database(path)
    _add(database, range(1))
    child = os.fork()
    if child:
        _wait_for(child)
        _add(database, range(1))
        database.close()
        if path.exists():
            sys.stdout.write(f"{path}\n")


def both_write(path: Path) -> None:
    """Write 0 to 39: in a thread, in a child, and in the parent, which closes in between."""
    database = _database(path)
    _add(database, range(10))
    is_over = Event()

    def work() -> None:
        _add(database, range(10, 15))
        is_over.wait()
        _add(database, range(15, 20))

    thread = Thread(target=work)
    thread.start()
    child = os.fork()
    if not child:
        _add(database, range(20, 30))
        database.close()
        return
    _add(database, range(30, 35))
    database.close()
    _wait_for(child)
    is_over.set()
    thread.join()
    _add(database, range(35, 40))
    database.close()


def in_snapshot(path: Path) -> None:
    """Fork while a snapshot is open, and say what the child gets when it writes."""
    database = _database(path)
    _add(database, range(3))
    with database.snapshot() as connection:
        rows = connection.execute("select n from numbers order by n")
        first = next(rows)
        child = os.fork()
        if not child:
            _say_error(database)
            return
        _wait_for(child)
        _add(database, range(3))
        if [first, *rows] != [(0,), (1,), (2,)]:
            sys.exit("the snapshot saw something else")
    database.close()


def in_write(path: Path) -> None:
    """Write 0 to 9: a child is forked while a thread of its parent is in a transaction."""
    database = _database(path)
    _add(database, range(1))  # Else this thread would have no connection to hand down.
    is_inside, may_end = Event(), Event()
    writer = Thread(target=_write_slowly, args=(database, is_inside, may_end))
    writer.start()
    is_inside.wait()
    # The transaction ends only when the fork has begun to wait for it.
    Thread(target=_wait_for_fork, args=(may_end,)).start()
    child = os.fork()
    if not child:
        _add(database, range(2, 4))
        other = Thread(target=_add, args=(database, range(4, 6)))
        other.start()
        other.join()
        database.close()
        return
    _wait_for(child)
    writer.join()
    _add(database, range(6, 10))
    database.close()


def in_endless_write(path: Path) -> None:
    """Say what a child gets that was forked although a transaction did not end."""
    connections.FORK_WAIT_SECONDS = 0
    database = _database(path)
    _add(database, range(1))
    is_inside, may_end = Event(), Event()
    writer = Thread(target=_write_slowly, args=(database, is_inside, may_end))
    writer.start()
    is_inside.wait()
    child = os.fork()
    if not child:
        _say_error(database)
        other = Thread(target=_say_error, args=(database,))
        other.start()
        other.join()
        return
    _wait_for(child)
    may_end.set()
    writer.join()
    _add(database, range(2, 4))
    database.close()


def in_busy_parent(path: Path) -> None:
    """Write 0 to 9 in children that are forked while threads write all the time."""
    database, is_over = _database(path), Event()

    def work() -> None:
        while not is_over.is_set():
            _add(database, range(-1, 0))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(10):
        child = os.fork()
        if not child:
            _add(database, range(number, number + 1))
            database.close()
            return
        _wait_for(child)
    is_over.set()
    for thread in threads:
        thread.join()
    database.close()


def _write_slowly(database: Database, is_inside: Event, may_end: Event) -> None:
    with database.write() as connection:
        connection.execute("insert into numbers values (1)")
        is_inside.set()
        may_end.wait()


def _wait_for_fork(may_end: Event) -> None:
    while not connections._forking:
        time.sleep(0.01)
    may_end.set()


def _say_error(database: Database) -> None:
    try:
        _add(database, range(1))
    except StatsError as error:
        sys.stdout.write(f"{type(error).__name__}: {error}\n")


def _database(path: Path) -> Database:
    schema = ["create table if not exists numbers (n integer)"]
    return Database(path, schema=schema, unavailable=StoreUnavailable, refused=StoreRefused)


def _add(database: Database, some: range) -> None:
    for number in some:
        with database.write() as connection:
            connection.execute("insert into numbers values (?)", (number,))


def _wait_for(child: int) -> None:
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"the child ended with {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    # Python warns of what this program is about: a fork beside threads.
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
    programs: dict[str, Callable[..., None]] = {
        "private-file": private_file,
        "both-write": both_write,
        "in-snapshot": in_snapshot,
        "in-write": in_write,
        "in-endless-write": in_endless_write,
        "in-busy-parent": in_busy_parent,
    }
    programs[sys.argv[1]](*map(Path, sys.argv[2:]))
