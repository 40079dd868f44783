"""What every store must do with documents: bulk and get."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stats_pipeline.model import Filter
from stats_pipeline.stores.protocol import Delete, Put, Store, Verdict

MISSING_SUFFIX = "-gone"

BODIES = st.fixed_dictionaries(
    {"size": st.integers(0, 2**53)},
    optional={"path": st.text("ab/", max_size=5), "is_robot": st.booleans()},
)

_numbers = count()


class DocumentContract:
    """Be the part of the contract about writing documents and reading them by id."""

    #: How many examples a law is tried on; fewer where each costs requests.
    examples = 60

    def test_a_document_comes_back_as_it_was_put(self, store: Store, index: str) -> None:
        """Every type of value should come back in its one form, and None should be no field."""
        body = {
            "timestamp": "2016-12-18T10:00:00.123Z",
            "event_id": "e1",
            "path": '/ä?b="c"\'\u2028\U0001f600\\',
            "size": 2**53,
            "status": -200,
            "ratio": 0.1,
            "is_robot": False,
            "address": "2001:db8::1",
            "note": "some words\n",
            "extra": {"a": [1, {"b": None}]},
        }
        (result,) = store.bulk([Put(index, "a/b c", {**body, "seen": None})])
        assert result.verdict is Verdict.DONE
        (document,) = store.get(index, ["a/b c"])
        assert document is not None
        assert (document.index, document.id, document.body) == (index, "a/b c", body)

    def test_documents_are_returned_in_the_order_of_the_ids(self, store: Store, index: str) -> None:
        """A missing document should be None in its place; an id may be asked for twice."""
        store.bulk([Put(index, key, {"path": key}) for key in ("a", "b")])
        found = store.get(index, ["b", "no", "a", "b"])
        assert [d and d.body["path"] for d in found] == ["b", None, "a", "b"]
        assert store.get(index, []) == []

    def test_more_documents_than_a_page_are_returned(self, store: Store, index: str) -> None:
        """Writing and reading 2,500 documents at once should work."""
        keys = [f"k{number}" for number in range(2_500)]
        results = store.bulk([Put(index, key, {"path": key}) for key in keys])
        assert {result.verdict for result in results} == {Verdict.DONE}
        found = store.get(index, keys)
        assert [d and d.id for d in found] == keys

    def test_a_missing_index_has_no_documents(self, store: Store, index: str) -> None:
        """Getting from an index that does not exist should find nothing."""
        assert store.get(index + MISSING_SUFFIX, ["a", "b"]) == [None, None]

    def test_a_put_without_version_overwrites_all_of_the_document(
        self, store: Store, index: str
    ) -> None:
        """No field of the earlier document should remain."""
        store.bulk([Put(index, "a", {"path": "x", "size": 1})])
        store.bulk([Put(index, "a", {"size": 2})])
        assert _bodies(store, index, ["a"]) == [{"size": 2}]

    def test_a_version_is_written_only_over_a_lower_one(self, store: Store, index: str) -> None:
        """The same version and a lower one should be duplicates and change nothing."""
        versions = [20, 10, 20, 30, 29]
        verdicts = [
            store.bulk([Put(index, "a", {"size": version}, version)])[0].verdict
            for version in versions
        ]
        duplicate = Verdict.DUPLICATE
        assert verdicts == [Verdict.DONE, duplicate, duplicate, Verdict.DONE, duplicate]
        assert _bodies(store, index, ["a"]) == [{"size": 30}]

    def test_a_put_of_the_same_version_is_written_where_that_is_said(
        self, store: Store, index: str
    ) -> None:
        """It should be written over the same version and a lower one, never over a higher one."""
        puts = [
            Put(index, "a", {"size": size}, version, is_same=True)
            for size, version in ((1, 20), (2, 20), (3, 19), (4, 21))
        ]
        duplicate = Verdict.DUPLICATE
        verdicts = [store.bulk([put])[0].verdict for put in puts]
        assert verdicts == [Verdict.DONE, Verdict.DONE, duplicate, Verdict.DONE]
        assert store.bulk([Put(index, "a", {"size": 5}, 21)])[0].verdict is duplicate
        assert _bodies(store, index, ["a"]) == [{"size": 4}]
        (document,) = store.get(index, ["a"])
        assert document
        assert document.version == 21
        store.refresh([index])
        with store.snapshot([index]) as snapshot:
            assert [found.version for found in snapshot.scan(Filter(), ["size"])] == [21]

    def test_a_delete_with_a_version_leaves_what_is_newer(self, store: Store, index: str) -> None:
        """What it deleted may be put again at once, in the same version or a higher one."""
        store.bulk([Put(index, "a", {"size": 1}, 20)])
        assert store.bulk([Delete(index, "a", 19)])[0].verdict is Verdict.DUPLICATE
        assert _bodies(store, index, ["a"]) == [{"size": 1}]
        for size, put in enumerate(
            [Put(index, "a", {"size": 0}, 20, is_same=True), Put(index, "a", {"size": 1}, 21)]
        ):
            assert store.bulk([Delete(index, "a", 20)])[0].verdict is Verdict.DONE
            assert store.get(index, ["a"]) == [None]
            assert store.bulk([put])[0].verdict is Verdict.DONE
            assert _bodies(store, index, ["a"]) == [{"size": size}]
        assert store.bulk([Delete(index, "never there", 1)])[0].verdict is Verdict.DONE

    def test_a_lower_version_is_no_duplicate_of_what_was_deleted(
        self, store: Store, index: str
    ) -> None:
        """Also at once, and beside others: the store has forgotten what it deleted."""
        for number in range(10):
            key = f"k{number}"
            store.bulk([Put(index, key, {"size": 1}, 20)])
            store.bulk([Delete(index, key, 20)])
            lower, other = Put(index, key, {"size": 2}, 10), Put(index, "other", {}, number)
            assert {result.verdict for result in store.bulk([lower, other])} == {Verdict.DONE}
            assert _bodies(store, index, [key]) == [{"size": 2}]

    def test_versions_may_use_62_bits(self, store: Store, index: str) -> None:
        """Versions should be compared exactly, however large."""
        high = 2**62
        results = store.bulk([Put(index, "a", {"size": n}, high + n) for n in (1, 0, 2)])
        assert [r.verdict for r in results] == [Verdict.DONE, Verdict.DUPLICATE, Verdict.DONE]

    def test_versioned_puts_in_any_order_end_in_the_same_documents(
        self, store: Store, index: str
    ) -> None:
        """However puts are ordered, repeated and cut into bulks, the highest versions remain."""

        @settings(max_examples=self.examples, deadline=None)
        @given(st.data())
        def law(data: st.DataObject) -> None:
            run = next(_numbers)
            wanted: dict[str, tuple[int, Any]] = {}
            puts: list[Put] = []
            for key in data.draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=6)):
                version, name = len(puts) + 1, f"{run}-{key}"
                body = data.draw(BODIES)
                puts.append(Put(index, name, body, version))
                wanted[name] = (version, body)
            repeated = puts + data.draw(st.lists(st.sampled_from(puts), max_size=4))
            shuffled = data.draw(st.permutations(repeated))
            cut = data.draw(st.integers(0, len(shuffled)))
            for some in (shuffled[:cut], shuffled[cut:]):
                verdicts = {result.verdict for result in store.bulk(some)}
                assert verdicts <= {Verdict.DONE, Verdict.DUPLICATE}
            assert _bodies(store, index, list(wanted)) == [body for _, body in wanted.values()]

        law()

    def test_operations_on_one_document_apply_in_order(self, store: Store, index: str) -> None:
        """Within one bulk the last operation on a document should decide."""
        results = store.bulk(
            [
                Put(index, "a", {"size": 1}),
                Delete(index, "a"),
                Put(index, "b", {"size": 1}),
                Put(index, "a", {"size": 2}),
                Delete(index, "b"),
            ]
        )
        assert {result.verdict for result in results} == {Verdict.DONE}
        assert _bodies(store, index, ["a", "b"]) == [{"size": 2}, None]

    def test_a_deleted_document_is_gone(self, store: Store, index: str) -> None:
        """Deleting should be done once; deleting what is not there is done already."""
        store.bulk([Put(index, "a", {"size": 1}), Put(index, "b", {"size": 1})])
        for _ in range(2):
            results = store.bulk([Delete(index, "a"), Delete(index, "never")])
            assert [result.verdict for result in results] == [Verdict.DONE, Verdict.DONE]
        assert _bodies(store, index, ["a", "b"]) == [None, {"size": 1}]

    def test_a_bad_item_costs_no_other_item(self, store: Store, index: str) -> None:
        """What can't be stored as it is should get `NEVER` with a reason; the rest is stored."""
        results = store.bulk(
            [
                Put(index, "a", {"size": 1}, 1),
                Put(index, "b", {"size": "many"}, 1),
                Put(index, "c", {"timestamp": "yesterday"}, 1),
                Put(index, "d", {"address": "nowhere"}, 1),
                Put(index, "e", {"is_robot": "perhaps"}, 1),
                Put(index, "f", {"size": 6}, 1),
            ]
        )
        done, never = Verdict.DONE, Verdict.NEVER
        assert [result.verdict for result in results] == [done, never, never, never, never, done]
        assert "size" in results[1].reason
        assert _bodies(store, index, "abcdef") == [{"size": 1}, None, None, None, None, {"size": 6}]

    def test_a_missing_index_is_a_fault_and_is_not_created(self, store: Store, index: str) -> None:
        """An operator should have to act; items for other indices are not concerned."""
        missing = index + MISSING_SUFFIX
        results = store.bulk(
            [Put(missing, "a", {"size": 1}), Put(index, "a", {"size": 1}), Put(missing, "b", {}, 3)]
        )
        assert [r.verdict for r in results] == [Verdict.FAULT, Verdict.DONE, Verdict.FAULT]
        assert missing in results[0].reason
        assert store.index_uuids([missing]) == {}

    def test_an_empty_bulk_has_no_results(self, store: Store) -> None:
        """Nothing to do should be done at once."""
        assert store.bulk([]) == []

    def test_threads_write_at_the_same_time(self, store: Store, index: str) -> None:
        """Bulks from several threads should all be stored, and the highest version win."""

        def work(number: int) -> None:
            store.bulk([Put(index, f"{number}-{n}", {"size": n}) for n in range(20)])
            store.bulk([Put(index, "shared", {"size": number}, number + 1)])

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        keys = [f"{number}-{n}" for number in range(6) for n in range(20)]
        assert None not in store.get(index, keys)
        assert _bodies(store, index, ["shared"]) == [{"size": 5}]


def _bodies(store: Store, index: str, keys: Any) -> list[Any]:
    return [None if d is None else d.body for d in store.get(index, list(keys))]
