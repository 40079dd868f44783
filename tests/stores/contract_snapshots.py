"""What every store must do when documents are counted and scanned."""

from collections.abc import Mapping
from heapq import merge
from itertools import islice
from typing import Any

import pytest

from stats_pipeline.model import Filter
from stats_pipeline.stores.protocol import Delete, Document, Put, Store
from stats_pipeline.templates import IndexTemplate
from tests.stores.conftest import MakeTemplate, Write

MORE_THAN_A_PAGE = 2_500


class SnapshotContract:
    """Be the part of the contract about reading documents as they were at one moment."""

    def test_a_snapshot_sees_no_later_write(self, store: Store, index: str, write: Write) -> None:
        """New, changed and deleted documents should be seen by the next snapshot only."""
        write(index, {"a": {"size": 1}, "b": {"size": 2}})
        with store.snapshot([index]) as snapshot:
            store.bulk([Put(index, "c", {"size": 3}), Put(index, "a", {"size": 9})])
            store.bulk([Delete(index, "b")])
            store.refresh([index])
            assert snapshot.count(Filter()) == 2
            assert _sizes(snapshot.scan(Filter(), ["size"])) == [1, 2]
            (group,) = snapshot.groups(Filter(), [], {})
            assert group.count == 2
        with store.snapshot([index]) as snapshot:
            assert _sizes(snapshot.scan(Filter(), ["size"])) == [3, 9]

    def test_a_scan_is_not_disturbed_by_writes_to_what_it_reads(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Documents that are rewritten as they come should come once, as they were."""
        write(index, {f"k{n}": {"size": n} for n in range(MORE_THAN_A_PAGE)})
        seen = []
        with store.snapshot([index]) as snapshot:
            for document in snapshot.scan(Filter(), ["size"]):
                seen.append(document.body["size"])
                if len(seen) % 500 == 1:
                    again = {"size": MORE_THAN_A_PAGE + len(seen)}
                    store.bulk([Put(index, document.id, again), Put(index, f"n{len(seen)}", again)])
                    store.refresh([index])
        assert seen == list(range(MORE_THAN_A_PAGE))

    def test_documents_are_scanned_in_the_order_of_the_fields(
        self, store: Store, index: str, write: Write
    ) -> None:
        """The first field should decide, then the next; a missing value comes first."""
        bodies: dict[str, Mapping[str, Any]] = {
            "a": {"path": "b", "size": 2},
            "b": {"path": "b"},
            "c": {"size": 1},
            "d": {"path": "a", "size": 10},
            "e": {"path": "b", "size": -1},
            "f": {"path": "B", "size": 9},
        }
        write(index, bodies)
        with store.snapshot([index]) as snapshot:
            documents = list(snapshot.scan(Filter(), ["path", "size"]))
        assert [document.id for document in documents] == ["c", "f", "d", "b", "e", "a"]
        assert {d.id: d.body for d in documents} == bodies
        assert {document.index for document in documents} == {index}

    def test_a_scan_by_time_is_in_the_order_of_time(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Times should come back as text and sort as times."""
        times = [f"2016-12-{day:02}T00:00:00.00{day % 10}Z" for day in range(1, 29)]
        write(index, {f"k{n}": {"timestamp": time} for n, time in enumerate(reversed(times))})
        with store.snapshot([index]) as snapshot:
            found = [d.body["timestamp"] for d in snapshot.scan(Filter(), ["timestamp"])]
        assert found == times

    def test_iterators_of_a_snapshot_may_interleave(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Two scans and groups, read by turns while the thread writes, should merge in order."""
        write(index, {f"k{n}": {"size": n, "path": f"{n % 2}"} for n in range(1_200)})
        with store.snapshot([index]) as snapshot:
            even = snapshot.scan(Filter().where("path", ["0"]), ["size"])
            odd = snapshot.scan(Filter().where("path", ["1"]), ["size"])
            groups = snapshot.groups(Filter(), ["size"], {})
            merged = merge(even, odd, key=lambda document: document.body["size"])
            sizes = []
            for document, group in zip(merged, groups, strict=True):
                assert group.key == (document.body["size"],)
                sizes.append(document.body["size"])
                if len(sizes) % 300 == 0:
                    store.bulk([Put(index, document.id, {"size": -1})])
        assert sizes == list(range(1_200))

    def test_an_iterator_may_be_left_before_its_end(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Neither the snapshot nor later writes should suffer from what nobody reads on."""
        write(index, {f"k{n}": {"size": n} for n in range(1_200)})
        with store.snapshot([index]) as snapshot:
            left = snapshot.scan(Filter(), ["size"])
            assert _sizes(islice(left, 2)) == [0, 1]
            assert snapshot.count(Filter()) == 1_200
        store.delete_indices([index])
        assert store.index_uuids([index]) == {}

    def test_an_exception_closes_a_snapshot(self, store: Store, index: str, write: Write) -> None:
        """The exception should come through, and the store go on working."""
        write(index, {"a": {"size": 1}})

        def fail() -> None:
            with store.snapshot([index]) as snapshot:
                next(iter(snapshot.scan(Filter(), ["size"])))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        write(index, {"b": {"size": 2}})
        with store.snapshot([index]) as snapshot:
            assert snapshot.count(Filter()) == 2

    def test_what_does_not_exist_has_no_documents(self, store: Store, index: str) -> None:
        """A snapshot of missing indices and aliases, or of nothing, should be empty."""
        for names in ([f"{index}-no", "no-such-alias"], []):
            with store.snapshot(names) as snapshot:
                assert snapshot.count(Filter()) == 0
                assert list(snapshot.scan(Filter(), ["size"])) == []
                assert list(snapshot.groups(Filter(), ["size"], {})) == []
                assert [(g.key, g.count) for g in snapshot.groups(Filter(), [], {})] == [((), 0)]

    def test_a_missing_index_costs_no_other_index(
        self, store: Store, index: str, write: Write
    ) -> None:
        """What exists should be read although something else does not."""
        write(index, {"a": {"size": 1}})
        with store.snapshot([f"{index}-no", index]) as snapshot:
            assert snapshot.count(Filter()) == 1

    def test_a_snapshot_reads_several_indices(
        self, store: Store, index: str, template: IndexTemplate, write: Write
    ) -> None:
        """Documents of one id in two indices should be two documents, in one order."""
        other = f"{template.alias}-2017-01"
        store.create_index(other, template, aliased=True)
        write(index, {"a": {"size": 1}, "b": {"size": 3}})
        write(other, {"a": {"size": 2}})
        for names in ([index, other], [template.alias], [template.alias, other]):
            with store.snapshot(names) as snapshot:
                found = list(snapshot.scan(Filter(), ["size"]))
            places = [(document.index, document.id) for document in found]
            assert places == [(index, "a"), (other, "a"), (index, "b")]

    def test_a_snapshot_reads_indices_of_different_templates(
        self, store: Store, index: str, make_template: MakeTemplate, write: Write
    ) -> None:
        """A field that one of them lacks should be a field that its documents lack."""
        other = make_template("other", colour="keyword")
        name = f"{other.alias}-2016-12"
        store.create_index(name, other, aliased=True)
        write(index, {"a": {"size": 1}})
        write(name, {"b": {"size": 2, "colour": "red"}})
        with store.snapshot([index, name]) as snapshot:
            assert _sizes(snapshot.scan(Filter(), ["size"])) == [1, 2]
            assert snapshot.count(Filter().where("colour", ["red"])) == 1
            assert snapshot.count(Filter().where("colour", None, ["red"])) == 1
            assert [g.key for g in snapshot.groups(Filter(), ["colour"], {})] == [("red",)]


def _sizes(documents: Any) -> list[int]:
    found: list[Document] = list(documents)
    return [document.body["size"] for document in found]
