"""The embedded store: the contract on a SQLite file, and what only a file has."""

import random
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from stats_pipeline.errors import StoreRefused, StoreUnavailable
from stats_pipeline.metrics import Mean, Metric, Sum
from stats_pipeline.model import Filter
from stats_pipeline.sqlite import database
from stats_pipeline.stores.opening import open_store
from stats_pipeline.stores.protocol import Put, Record, Store, Verdict
from stats_pipeline.stores.sqlite import SqliteStore
from stats_pipeline.templates import IndexTemplate
from tests.stores.conftest import MakeTemplate, Write
from tests.stores.contract import StoreContract


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file in a folder that does not exist yet."""
    return tmp_path / "instance" / "stats.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """Give a store of its own."""
    store = SqliteStore(path)
    yield store
    store.close()


@pytest.fixture
def store_url(path: Path) -> str:
    """Give the URL by which another process opens the same store."""
    return f"sqlite:///{path}"


class TestSqliteStore(StoreContract):
    """Keep the contract in a SQLite file."""

    examples = 100


def test_people_read_an_alias_as_a_view(
    store: Store, path: Path, index: str, template: IndexTemplate, write: Write
) -> None:
    """In the sqlite3 shell a view should show the indices that have the alias."""
    hidden = f"{template.alias}-2017-01-g2"
    store.create_index(hidden, template, aliased=False)
    write(index, {"a": {"path": "/a", "size": 1, "extra": {"b": 1}}})
    write(hidden, {"b": {"path": "/b"}})
    view = f'select _index, path, size, extra from "{template.alias}"'
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(view).fetchall() == [(index, "/a", 1, '{"b": 1}')]
        store.swap_alias(template.alias, add=[hidden], remove=[index])
        assert connection.execute(view).fetchall() == [(hidden, "/b", None, None)]


def test_the_view_has_the_new_fields_of_a_template(
    store: Store, path: Path, index: str, make_template: MakeTemplate, write: Write
) -> None:
    """A field that a template gained should be a column of the view."""
    changed = make_template(colour="keyword")
    store.put_template(changed)
    write(index, {"a": {"colour": "red"}})
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(f'select colour from "{changed.alias}"').fetchall() == [("red",)]


def test_a_field_that_the_template_lacks_is_never_stored(store: Store, index: str) -> None:
    """Nothing should be lost silently: the item is refused, with the field's name."""
    results = store.bulk([Put(index, "a", {"nope": 1}), Put(index, "b", {"nope": None})])
    assert [result.verdict for result in results] == [Verdict.NEVER, Verdict.DONE]
    assert "'nope'" in results[0].reason


def test_a_version_that_sqlite_can_not_hold_is_never_stored(store: Store, index: str) -> None:
    """The rest of the bulk should be stored nevertheless."""
    results = store.bulk([Put(index, "a", {}, 2**63), Put(index, "b", {}, 2**63 - 1)])
    assert [result.verdict for result in results] == [Verdict.NEVER, Verdict.DONE]


def test_sums_may_be_longer_than_64_bits(store: Store, index: str, write: Write) -> None:
    """SQLite's own sum fails there; ours should be exact, also of negative numbers."""
    sizes = [2**63 - 1] * 5 + [-(2**63)] * 2 + [-1, 3]
    write(index, {f"k{n}": {"size": size} for n, size in enumerate(sizes)})
    with store.snapshot([index]) as snapshot:
        asked: dict[str, Metric] = {"sum": Sum("size"), "mean": Mean("size")}
        (group,) = snapshot.groups(Filter(), [], asked)
    assert group.values == {"sum": sum(sizes), "mean": sum(sizes) / len(sizes)}


@pytest.mark.parametrize("fields", [{"Path": "keyword"}, {"_id": "keyword"}, {"_Version": "long"}])
def test_fields_that_sqlite_can_not_tell_apart_are_refused(
    store: Store, make_template: MakeTemplate, fields: dict[str, str]
) -> None:
    """Names of columns have no case, and some are ours."""
    with pytest.raises(StoreRefused, match="can't be told apart"):
        store.put_template(make_template(**fields))


def test_field_names_and_aliases_may_hold_quotes(store: Store, make_template: MakeTemplate) -> None:
    """Names should never end a piece of SQL."""
    field = """x"; drop table _state; --'"""
    odd = make_template("""o'd"d""", **{field: "keyword"})
    name = f"{odd.alias}-2016"
    store.create_index(name, odd, aliased=True)
    assert store.bulk([Put(name, "a", {field: "v"})])[0].verdict is Verdict.DONE
    with store.snapshot([odd.alias]) as snapshot:
        assert [group.key for group in snapshot.groups(Filter(), [field], {})] == [("v",)]


def test_a_file_that_is_no_database_is_refused_by_name(path: Path) -> None:
    """An operator should be told which file it is."""
    path.parent.mkdir()
    path.write_text("This is a letter, not a database. " * 50)
    with pytest.raises(StoreRefused, match=f"{path}: file is not a database"):
        SqliteStore(path).check()


def test_a_folder_that_can_not_be_made_is_refused_by_name(path: Path) -> None:
    """A file may stand where the folder should be."""
    path.parent.write_text("not a folder")
    with pytest.raises(StoreRefused, match=f"{path}: its folder can't be made"):
        SqliteStore(path).check()


def test_a_folder_is_no_file(path: Path) -> None:
    """A path that can't be opened should be an operator's matter."""
    path.mkdir(parents=True)
    with pytest.raises(StoreRefused, match=f"{path}: unable to open"):
        SqliteStore(path).check()


def test_a_file_locked_for_too_long_is_unavailable(
    path: Path, index: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call should work when the other writer is done."""
    store.close()
    monkeypatch.setattr("stats_pipeline.sqlite.connections.BUSY_TIMEOUT_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(StoreUnavailable, match="locked; try again later"):
            store.bulk([Put(index, "a", {"size": 1})])
        other.execute("rollback")
    assert store.bulk([Put(index, "a", {"size": 1})])[0].verdict is Verdict.DONE


def test_a_full_disk_is_unavailable_and_costs_nothing(store: SqliteStore, index: str) -> None:
    """The whole bulk should be undone, and work when there is room again."""
    with store._database.write() as connection:
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count = {pages + 2}")
    many = [Put(index, f"k{n}", {"note": "x" * 1_000}) for n in range(50)]
    with pytest.raises(StoreUnavailable, match="full"):
        store.bulk(many)
    assert store.get(index, ["k0"]) == [None]
    store.close()  # The limit belongs to the connection.
    assert {result.verdict for result in store.bulk(many)} == {Verdict.DONE}


def test_many_processes_may_make_the_file_at_once(path: Path, index: str) -> None:
    """Each should find a store that works, whoever makes it."""
    other = path.with_name("other.db")
    program = (
        "from stats_pipeline.stores.opening import open_store\n"
        "from stats_pipeline.stores.protocol import Record\n"
        "import sys\n"
        "input()\n"
        "open_store(sys.argv[1]).state.put([Record('k', sys.argv[2])])\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, f"sqlite:///{other}", f"p{number}"],
            stdin=subprocess.PIPE,
            text=True,
        )
        for number in range(5)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(60) for process in processes] == [0] * 5
    for process in processes:
        process.communicate()
    store = open_store(f"sqlite:///{other}")
    assert len(list(store.state.find("k"))) == 5
    store.close()


def test_a_store_in_memory_is_shared_by_threads_and_snapshots() -> None:
    """`sqlite://` should be a store like any other, and each a store of its own."""
    store, other = open_store("sqlite://"), open_store("sqlite://")
    template = IndexTemplate("thing", {"size": {"type": "long"}}, {}, {})
    store.create_index("thing-1", template, aliased=True)
    store.bulk([Put("thing-1", "a", {"size": 1})])
    with store.snapshot(["thing"]) as snapshot:
        assert snapshot.count(Filter()) == 1
    assert other.index_uuids(["thing-1"]) == {}
    store.close()
    other.close()


def test_A004_25_no_byte_of_an_expunged_record_is_left_in_any_file(
    store: SqliteStore, path: Path
) -> None:
    """Nor where it once was, before the pages of its table were divided and joined."""
    rng = random.Random(1)
    keys = [secrets.token_hex(32) for _ in range(200)]
    for key in keys:
        store.state.put([Record("salt", key[:8], body={"key": key})])
        marks = [f"m{rng.randrange(1_000)}" for _ in range(40)]
        body = {"done": ["x"] * rng.randrange(20)}
        store.state.put([Record("mark", mark, body=body) for mark in marks])
        for record in store.state.get("mark", rng.sample(sorted({*marks}), 10)):
            assert record is None or store.state.delete(record)
    old = list(store.state.find("salt"))
    assert store.state.swap([replace(record, body={}) for record in old]) == [True] * 200
    assert _remains(path, keys)
    store.state.expunge()
    assert _remains(path, keys) == set()


def _remains(path: Path, keys: Sequence[str]) -> set[str]:
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    return {key for key in keys if key[:24].encode() in content or key[-24:].encode() in content}


def test_expunging_waits_for_readers_and_then_says_that_they_are_in_the_way(
    store: SqliteStore, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a snapshot may still read can't be removed; the same call works later."""
    monkeypatch.setattr(database, "LOG_WAIT_SECONDS", 0.1)
    store.state.put([Record("salt", "k")])
    with store.snapshot([index]) as snapshot:
        assert snapshot.count(Filter()) == 0
        with pytest.raises(StoreUnavailable, match=r"stats\.db is being read; try again later"):
            store.state.expunge()
    store.state.expunge()
    assert store.state.get("salt", ["k"]) != [None]
