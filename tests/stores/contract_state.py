"""What every store must do with state records."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

from stats_pipeline.stores.protocol import Record, State, Store

NOON = datetime(2016, 12, 18, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class StateContract:
    """Be the part of the contract about records that change by compare-and-swap."""

    def test_a_record_comes_back_as_it_was_put(self, state: State, kind: str) -> None:
        """All parts should come back, with a version; get keeps the order of the keys."""
        record = Record(
            kind=kind,
            key='events/ä "1"\'' + "k" * 380,
            group="thing",
            time=NOON + timedelta(milliseconds=7),
            tags=frozenset({"a-agg", 'with "quotes"'}),
            body={"token": "x", "deep": [1, {"b": None}], "number": 0.5},
        )
        bare = Record(kind=kind, key="b")
        state.put([record, bare])
        found = state.get(kind, ["no", record.key, "b"])
        assert found[0] is None
        assert [r and replace(r, version=None) for r in found[1:]] == [record, bare]
        assert None not in [r and r.version for r in found[1:]]
        assert state.get(kind, []) == []

    def test_kinds_have_keys_of_their_own(self, state: State, kind: str) -> None:
        """One key in two kinds should be two records."""
        state.put([Record(kind, "k", "one"), Record(f"{kind}2", "k", "two")])
        assert [r and r.group for r in state.get(kind, ["k"])] == ["one"]

    def test_put_writes_over_whatever_is_there(self, state: State, kind: str) -> None:
        """The last put should decide all parts of the record and change its version."""
        state.put([Record(kind, "k", "old", NOON, frozenset({"t"}), {"a": 1})])
        before = _get(state, kind, "k")
        state.put([Record(kind, "k", "new")])
        after = _get(state, kind, "k")
        assert replace(after, version=None) == Record(kind, "k", "new")
        assert not state.swap([before])[0]

    def test_put_takes_nothing_and_many(self, state: State, kind: str) -> None:
        """Any number of records should be written by one call."""
        state.put([])
        keys = [f"k{number}" for number in range(1_200)]
        state.put([Record(kind, key) for key in keys])
        assert [r and r.key for r in state.get(kind, keys)] == keys

    def test_create_writes_only_where_nothing_is(self, state: State, kind: str) -> None:
        """The second creation should say no and leave the first one's record."""
        assert state.create(Record(kind, "k", "first"))
        assert not state.create(Record(kind, "k", "second"))
        assert _get(state, kind, "k").group == "first"

    def test_one_of_many_creators_wins(self, state: State, kind: str) -> None:
        """Of threads that create the same record at once exactly one should be told yes."""
        for attempt in range(5):
            key = f"k{attempt}"
            records = [Record(kind, key, f"g{number}") for number in range(6)]
            won = _race(state.create, records)
            assert [record.group for record in won] == [_get(state, kind, key).group]

    def test_swap_writes_only_over_the_version_that_was_read(self, state: State, kind: str) -> None:
        """A stale version should be refused, also that of a record which is gone."""
        state.put([Record(kind, "k"), Record(kind, "gone"), Record(kind, "other")])
        first, gone, other = state.get(kind, ["k", "gone", "other"])
        assert first
        assert gone
        assert other
        assert state.delete(gone)
        assert state.swap([replace(first, group="second")]) == [True]
        changed = [replace(r, group="third") for r in (first, gone, other)]
        assert state.swap(changed) == [False, False, True]
        assert [r and r.group for r in state.get(kind, ["k", "gone", "other"])] == [
            "second",
            None,
            "third",
        ]
        assert state.swap([]) == []

    def test_one_of_many_swaps_wins(self, state: State, kind: str) -> None:
        """Of threads that swap the same version at once exactly one should be told yes."""
        state.put([Record(kind, "k")])
        for _ in range(5):
            read = _get(state, kind, "k")
            records = [replace(read, group=f"g{number}") for number in range(6)]
            won = _race(lambda record: state.swap([record])[0], records)
            assert [record.group for record in won] == [_get(state, kind, "k").group]

    def test_no_change_by_swap_is_lost(self, state: State, kind: str) -> None:
        """Threads that each add 5 to a number by compare-and-swap should add up exactly."""
        state.put([Record(kind, "k", body={"n": 0})])

        def add(_: int) -> None:
            left = 5
            while left:
                read = _get(state, kind, "k")
                left -= state.swap([replace(read, body={"n": read.body["n"] + 1})])[0]

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, range(4)))
        assert _get(state, kind, "k").body == {"n": 20}

    def test_delete_removes_only_the_version_that_was_read(self, state: State, kind: str) -> None:
        """A stale version should not remove a record."""
        state.put([Record(kind, "k")])
        stale = _get(state, kind, "k")
        state.put([Record(kind, "k", "new")])
        assert not state.delete(stale)
        assert state.delete(_get(state, kind, "k"))
        assert state.get(kind, ["k"]) == [None]
        assert not state.delete(stale)

    def test_a_record_made_again_has_another_version(self, state: State, kind: str) -> None:
        """Who read the record before it was deleted should not take the new one for it."""
        assert state.create(Record(kind, "k"))
        before = _get(state, kind, "k")
        assert state.delete(before)
        assert state.create(Record(kind, "k"))
        assert state.swap([replace(before, group="late")]) == [False]
        assert not state.delete(before)

    def test_find_yields_records_by_time_then_key(self, state: State, kind: str) -> None:
        """Records without a time should come first."""
        order = [("z", None), ("c", NOON - HOUR), ("a", NOON), ("b", NOON), ("0", NOON + HOUR)]
        state.put([Record(kind, key, time=time) for key, time in reversed(order)])
        assert [(r.key, r.time) for r in state.find(kind)] == order

    def test_find_sees_every_write_that_had_returned(self, state: State, kind: str) -> None:
        """Records that were created, swapped and deleted just before should show that."""
        for number in range(5):
            key = f"k{number}"
            assert state.create(Record(kind, key, "new"))
            assert [r.key for r in state.find(kind, group="new")] == [key]
            assert state.swap([replace(_get(state, kind, key), group="old")])[0]
            assert list(state.find(kind, group="new")) == []
            assert len(list(state.find(kind, group="old"))) == 1
            assert state.delete(_get(state, kind, key))
            assert list(state.find(kind)) == []

    def test_find_keeps_what_was_asked_for(self, state: State, kind: str) -> None:
        """Group, tag and times should be conditions that all hold; the end is excluded."""
        hours = [NOON, NOON + HOUR, NOON + 2 * HOUR]
        for group in ("one", "two"):
            for number, hour in enumerate(hours):
                tags = frozenset({"a", "ab"} if number == 1 else {"ab"})
                state.put([Record(kind, f"{group}{number}", group, hour, tags)])
        state.put([Record(kind, "timeless", "one")])

        def keys(**conditions: object) -> list[str]:
            return [record.key for record in state.find(kind, **conditions)]  # type: ignore[arg-type]

        assert keys(group="two") == ["two0", "two1", "two2"]
        assert keys(group="one", lacking="a") == ["timeless", "one0", "one2"]
        assert keys(lacking="ab") == ["timeless"]
        assert keys(group="one", lacking="never") == ["timeless", "one0", "one1", "one2"]
        assert keys(start=hours[1], end=hours[2]) == ["one1", "two1"]
        assert keys(group="one", end=hours[1]) == ["one0"]
        assert keys(group="one", start=hours[1]) == ["one1", "one2"]
        assert keys(group="three") == []
        assert list(state.find(f"{kind}-no")) == []

    def test_find_yields_more_than_a_page_while_records_change(
        self, state: State, kind: str
    ) -> None:
        """Each of 1,201 records should come once, though each is changed as it comes."""
        records = [Record(kind, f"k{n:04}", time=NOON + n // 3 * HOUR) for n in range(1_200)]
        state.put([*records, Record(kind, "first")])
        seen = []
        for record in state.find(kind, lacking="done"):
            seen.append(record.key)
            if len(seen) % 100 == 1:
                assert state.swap([replace(record, tags=frozenset({"done"}))]) == [True]
        assert seen == ["first", *(record.key for record in records)]

    def test_expunging_changes_no_record(self, state: State, kind: str) -> None:
        """What is there stays, with its version; what was written over stays written over."""
        state.expunge()
        state.put([Record(kind, f"k{number}", "g", NOON, body={"n": 1}) for number in range(50)])
        stale = _get(state, kind, "k0")
        state.put([Record(kind, "k0", "g", NOON, body={"n": 2})])
        assert state.delete(_get(state, kind, "k1"))
        before = list(state.find(kind))
        state.expunge()
        assert list(state.find(kind)) == before
        assert state.swap([replace(before[0], body={"n": 3}), stale]) == [True, False]
        assert state.create(Record(kind, "k1", "g", NOON))
        assert stale.version not in {record.version for record in state.find(kind)}

    def test_a_closed_store_keeps_its_state(self, store: Store, kind: str) -> None:
        """State should be durable when a write has returned."""
        store.state.put([Record(kind, "k", "g")])
        store.close()
        assert _get(store.state, kind, "k").group == "g"


def _get(state: State, kind: str, key: str) -> Record:
    (record,) = state.get(kind, [key])
    assert record is not None
    return record


def _race(attempt: Callable[[Record], bool], records: Sequence[Record]) -> list[Record]:
    """Return the records of those whose attempts, made at the same time, were told yes."""
    barrier = Barrier(len(records))

    def run(record: Record) -> bool:
        barrier.wait()
        return attempt(record)

    with ThreadPoolExecutor(len(records)) as pool:
        return [r for r, won in zip(records, pool.map(run, records), strict=True) if won]
