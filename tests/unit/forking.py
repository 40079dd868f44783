"""Fork with SQLite files in use; run as programs of their own by `test_sqlite.py`.

Children end as Python programs do (not by `os._exit`), since that frees what they inherited.
"""

import os
import sys
import warnings
from pathlib import Path
from threading import Event, Thread

from stats_pipeline.errors import StatsError, StoreRefused, StoreUnavailable
from stats_pipeline.sqlite import Database, database_path


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
            try:
                _add(database, range(1))
            except StatsError as error:
                sys.stdout.write(f"{type(error).__name__}: {error}\n")
            return
        _wait_for(child)
        _add(database, range(3))
        if [first, *rows] != [(0,), (1,), (2,)]:
            sys.exit("the snapshot saw something else")
    database.close()


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
    if sys.argv[1] == "private-file":
        private_file()
    elif sys.argv[1] == "both-write":
        both_write(Path(sys.argv[2]))
    else:
        in_snapshot(Path(sys.argv[2]))
