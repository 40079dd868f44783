"""What every store must do with templates, indices and aliases, and with its connections."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from stats_pipeline.errors import StoreRefused
from stats_pipeline.model import Filter
from stats_pipeline.stores.protocol import Put, Store, Verdict
from stats_pipeline.templates import IndexTemplate
from tests.stores.conftest import MakeTemplate, Write

AFTER_FORK = Path(__file__).with_name("after_fork.py")
CHILD_ENDS_WITHIN_SECONDS = 60


class IndexContract:
    """Be the part of the contract about indices and their aliases."""

    def test_creating_an_index_twice_gives_one_uuid(
        self, store: Store, template: IndexTemplate
    ) -> None:
        """The second call should change nothing and return the first one's UUID."""
        name = f"{template.alias}-2016-12"
        store.put_template(template)
        first = store.create_index(name, template, aliased=True)
        store.bulk([Put(name, "a", {"size": 1})])
        assert first
        assert store.create_index(name, template, aliased=True) == first
        assert store.index_uuids([name]) == {name: first}
        assert store.get(name, ["a"]) != [None]

    def test_two_threads_that_create_an_index_get_one_uuid(
        self, store: Store, template: IndexTemplate
    ) -> None:
        """Whoever comes first, both should know the same index."""
        store.put_template(template)
        barrier = Barrier(2)

        def create(_: int) -> str:
            barrier.wait()
            return store.create_index(f"{template.alias}-2016-12", template, aliased=True)

        with ThreadPoolExecutor(2) as pool:
            assert len(set(pool.map(create, range(2)))) == 1

    def test_an_index_that_was_made_again_has_another_uuid(
        self, store: Store, index: str, template: IndexTemplate
    ) -> None:
        """A replaced index should be told apart from the one that was recorded."""
        before = store.index_uuids([index])[index]
        store.delete_indices([index])
        assert store.create_index(index, template, aliased=True) != before

    def test_only_existing_indices_have_uuids(self, store: Store, index: str) -> None:
        """Asking for many names should return those that exist."""
        assert list(store.index_uuids([f"{index}-no", index])) == [index]
        assert store.index_uuids([]) == {}

    def test_a_deleted_index_is_gone_with_its_documents(
        self, store: Store, index: str, template: IndexTemplate, write: Write
    ) -> None:
        """Deleting should leave other indices alone and be harmless where there is none."""
        other = f"{template.alias}-2017-01"
        store.create_index(other, template, aliased=True)
        write(index, {"a": {"size": 1}})
        write(other, {"a": {"size": 2}})
        store.delete_indices([index, f"{index}-no"])
        store.delete_indices([index])
        assert store.index_uuids([index, other]).keys() == {other}
        assert store.get(index, ["a"]) == [None]
        store.create_index(index, template, aliased=True)
        assert _count(store, template.alias) == 1

    def test_a_template_may_be_put_again(self, store: Store, template: IndexTemplate) -> None:
        """Each process installs its templates when it starts."""
        for _ in range(3):
            store.put_template(template)

    def test_a_new_field_of_a_template_is_added_to_its_indices(
        self, store: Store, index: str, make_template: MakeTemplate, write: Write
    ) -> None:
        """The field should be stored and found in an index that is older than it."""
        store.put_template(make_template(colour="keyword"))
        write(index, {"a": {"colour": "red"}, "b": {"size": 1}})
        with store.snapshot([index]) as snapshot:
            assert snapshot.count(Filter().where("colour", ["red"])) == 1

    @pytest.mark.usefixtures("index")
    def test_a_field_that_changes_its_type_is_refused(
        self, store: Store, make_template: MakeTemplate
    ) -> None:
        """What is stored can't change its type; the error should name the field."""
        with pytest.raises(StoreRefused, match="size"):
            store.put_template(make_template(size="keyword"))

    def test_an_alias_shows_its_indices_only(
        self, store: Store, index: str, template: IndexTemplate, write: Write
    ) -> None:
        """An index without the alias should be read by its own name only."""
        hidden = f"{template.alias}-2017-01-g2"
        store.create_index(hidden, template, aliased=False)
        write(index, {"a": {"size": 1}})
        write(hidden, {"a": {"size": 1}, "b": {"size": 1}})
        assert _count(store, template.alias) == 1
        assert _count(store, hidden) == 2
        assert _count(store, template.alias, hidden) == 3
        assert _count(store, template.alias, index) == 1

    def test_one_alias_may_begin_with_another(
        self, store: Store, index: str, make_template: MakeTemplate, write: Write
    ) -> None:
        """Templates and aliases of both should be told apart."""
        longer = make_template("thing-two", colour="keyword")
        name = f"{longer.alias}-2016-12"
        store.put_template(longer)
        store.create_index(name, longer, aliased=True)
        write(index, {"a": {"size": 1}})
        write(name, {"a": {"colour": "red"}, "b": {"colour": "blue"}})
        assert _count(store, make_template().alias) == 1
        assert _count(store, longer.alias) == 2

    def test_an_alias_moves_to_other_indices(
        self, store: Store, index: str, template: IndexTemplate, write: Write
    ) -> None:
        """After the swap the alias should show the new indices and no old one."""
        new = f"{template.alias}-2016-12-g2"
        store.create_index(new, template, aliased=False)
        write(index, {"a": {"size": 1}})
        write(new, {"a": {"size": 1}, "b": {"size": 1}})
        store.swap_alias(template.alias, add=[new], remove=[index])
        assert _count(store, template.alias) == 2
        store.swap_alias(template.alias, add=[new], remove=[])
        assert _count(store, template.alias) == 2

    def test_removing_an_alias_that_no_index_has_is_harmless(
        self, store: Store, template: IndexTemplate
    ) -> None:
        """The repeat of a swap may find all of it done, with nothing that was added."""
        name = f"{template.alias}-2016-12"
        store.create_index(name, template, aliased=False)
        store.swap_alias(template.alias, add=[], remove=[name, f"{name}-no"])
        assert list(store.index_uuids([name])) == [name]

    def test_an_index_that_is_made_again_with_its_alias_gets_it(
        self, store: Store, template: IndexTemplate, write: Write
    ) -> None:
        """Whoever asks for an index that readers see should have one, also where it was hidden."""
        name = f"{template.alias}-2016-12"
        store.create_index(name, template, aliased=False)
        write(name, {"a": {"size": 1}})
        assert _count(store, template.alias) == 0
        store.create_index(name, template, aliased=False)
        assert _count(store, template.alias) == 0
        store.create_index(name, template, aliased=True)
        assert _count(store, template.alias) == 1

    def test_an_alias_of_a_missing_index_is_refused_and_nothing_moves(
        self, store: Store, index: str, template: IndexTemplate, write: Write
    ) -> None:
        """A swap should happen as a whole or not at all."""
        write(index, {"a": {"size": 1}})
        with pytest.raises(StoreRefused, match=f"{index}-no"):
            store.swap_alias(template.alias, add=[f"{index}-no"], remove=[index])
        assert _count(store, template.alias) == 1

    def test_readers_never_see_an_alias_half_moved(
        self, store: Store, index: str, template: IndexTemplate, write: Write
    ) -> None:
        """While an alias moves back and forth, each snapshot should see exactly one generation."""
        other = f"{template.alias}-2016-12-g2"
        store.create_index(other, template, aliased=False)
        write(index, {"a": {"size": 1}})
        write(other, {"b": {"size": 1}})
        started, stop = Event(), Event()

        def swap() -> None:
            pair = [index, other]
            while not stop.is_set():
                store.swap_alias(template.alias, add=[pair[1]], remove=[pair[0]])
                pair.reverse()
                started.set()

        with ThreadPoolExecutor(1) as pool:
            swapping = pool.submit(swap)
            try:
                started.wait(CHILD_ENDS_WITHIN_SECONDS)
                assert {_count(store, template.alias) for _ in range(30)} == {1}
            finally:
                stop.set()
            swapping.result()

    def test_refreshing_what_is_missing_is_harmless(self, store: Store, index: str) -> None:
        """An alias without indices, or an index that is gone, should have nothing to show."""
        store.refresh([f"{index}-no", index])
        store.refresh([])

    def test_a_healthy_store_says_so_in_one_line(self, store: Store) -> None:
        """The line should be for people."""
        line = store.check()
        assert line
        assert "\n" not in line

    def test_a_closed_store_may_be_used_again(self, store: Store, index: str) -> None:
        """Closing should let go of connections, not of data; twice is harmless."""
        store.bulk([Put(index, "a", {"size": 1})])
        store.close()
        store.close()
        assert store.get(index, ["a"]) != [None]
        assert store.bulk([Put(index, "b", {"size": 1})])[0].verdict is Verdict.DONE

    def test_a_store_works_on_both_sides_of_a_fork(
        self, store: Store, index: str, store_url: str
    ) -> None:
        """Parent and child should go on writing with a store that the parent has used."""
        done = subprocess.run(
            [sys.executable, "-W", "error", AFTER_FORK, store_url, index],
            capture_output=True,
            text=True,
            timeout=CHILD_ENDS_WITHIN_SECONDS,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert None not in store.get(index, ["before", "child", "parent", "thread"])


def _count(store: Store, *names: str) -> int:
    with store.snapshot(names) as snapshot:
        return snapshot.count(Filter())
