"""What every store must do when documents are grouped."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats_pipeline.metrics import Count, First, Last, Max, Mean, Metric, Min, Sum, Unique
from stats_pipeline.model import Filter, Where
from stats_pipeline.sketches import count_and_sketch
from stats_pipeline.stores.protocol import Group, Store
from tests.stores import reference
from tests.stores.conftest import Write
from tests.stores.strategies import BODIES, GROUPABLE, HOURS, metrics

MANY_GROUPS = 5_000

_numbers = count()


class GroupContract:
    """Be the part of the contract about groups and metrics."""

    #: How many examples a law is tried on; fewer where each costs requests.
    examples = 60

    def test_groups_are_what_they_are_in_python(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Keys, counts, metrics and newest documents should be those of a few lines of Python."""

        @settings(max_examples=self.examples, deadline=None)
        @given(
            st.lists(BODIES, max_size=12),
            st.lists(st.sampled_from(GROUPABLE), max_size=2, unique=True),
            st.dictionaries(st.sampled_from("abcd"), metrics(), max_size=4),
            st.sampled_from([(), ("timestamp", "event_id")]),
        )
        def law(
            drawn: list[dict[str, Any]],
            by: list[str],
            asked: dict[str, Metric],
            newest_by: tuple[str, ...],
        ) -> None:
            batch = str(next(_numbers))
            bodies = {
                f"{batch}-{n}": {**body, "batch": batch, "event_id": f"e{n % 10}{n}"}
                for n, body in enumerate(drawn)
            }
            write(index, bodies)
            where = Filter().where("batch", [batch])
            with store.snapshot([index]) as snapshot:
                found = list(snapshot.groups(where, by, asked, newest_by=newest_by))
            _check_equal(found, reference.group(list(bodies.values()), by, asked, newest_by))

        law()

    def test_keys_are_ascending_and_have_their_types(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Booleans, numbers and times should be keys as they are values of documents."""
        write(
            index,
            {
                "a": {"is_robot": True, "size": 10, "seen": HOURS[1]},
                "b": {"is_robot": False, "size": 9, "seen": HOURS[2]},
                "c": {"is_robot": False, "size": -1, "seen": HOURS[0]},
            },
        )
        by = ["is_robot", "size", "seen"]
        with store.snapshot([index]) as snapshot:
            keys = [group.key for group in snapshot.groups(Filter(), by, {})]
        assert keys == [(False, -1, HOURS[0]), (False, 9, HOURS[2]), (True, 10, HOURS[1])]
        assert [type(value) for value in keys[0]] == [bool, int, str]

    def test_a_document_that_lacks_a_field_is_in_no_group(
        self, store: Store, index: str, write: Write
    ) -> None:
        """An empty text should be a value like any other, and a missing field none."""
        write(index, {"a": {"path": "", "size": 1}, "b": {"path": "x"}, "c": {"size": 1}})
        with store.snapshot([index]) as snapshot:
            assert [g.key for g in snapshot.groups(Filter(), ["path", "size"], {})] == [("", 1)]
            assert list(snapshot.groups(Filter(), ["path", "nope"], {})) == []

    def test_a_document_with_several_values_is_in_the_group_of_each(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Once in each, so that the groups sum to more than the documents; newest has them all."""
        several = {"path": ["a", "b"], "event_id": ["x", "y"], "size": 1}
        write(
            index, {"1": several, "2": {"path": "b", "event_id": "x", "size": 2}, "3": {"size": 4}}
        )
        asked: dict[str, Metric] = {
            "sum": Sum("size"),
            "of a": Count(where=Where("path", ["a"])),
            "not a": Count(where=Where("path", exclude=["a"])),
        }
        with store.snapshot([index]) as snapshot:
            groups = list(snapshot.groups(Filter(), ["path"], asked, newest_by=["size"]))
            assert [(g.key, g.count, list(g.values.values())) for g in groups] == [
                (("a",), 1, [1, 1, 0]),
                (("b",), 2, [3, 1, 1]),
            ]
            assert groups[0].newest == several
            both = [g.key for g in snapshot.groups(Filter(), ["event_id", "path"], {})]
            assert both == [("x", "a"), ("x", "b"), ("y", "a"), ("y", "b")]

    def test_unique_values_are_counted_and_sketched(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Values of lists one by one, and a document with several of them is still one document."""
        write(
            index,
            {
                "1": {"status": 1, "path": ["a", "b"], "event_id": ["x", "y", "z"], "size": 1},
                "2": {"status": 1, "path": "b", "is_robot": True, "size": 2},
                "3": {"status": 2, "is_robot": False, "size": 4},
            },
        )
        asked: dict[str, Metric] = {
            "paths": Unique("path"),
            "events": Unique("event_id"),
            "robots": Unique("path", where=Where("is_robot", include=[True])),
            "kinds": Unique("is_robot"),
            "sum": Sum("size"),
            "nothing": Unique("nope"),
        }
        with store.snapshot([index]) as snapshot:
            one, two = snapshot.groups(Filter(), ["status"], asked)
            (all_,) = snapshot.groups(Filter(), [], asked)
        none = (0, None)
        paths, events = count_and_sketch(["a", "b"]), count_and_sketch(["x", "y", "z"])
        robots, true, false = (count_and_sketch([value]) for value in ("b", True, False))
        assert (one.count, two.count, all_.count) == (2, 1, 3)
        assert list(one.values.values()) == [paths, events, robots, true, 3, none]
        assert list(two.values.values()) == [none, none, none, false, 4, none]
        kinds = count_and_sketch([False, True])
        assert list(all_.values.values()) == [paths, events, robots, kinds, 7, none]

    def test_grouping_by_nothing_yields_one_group(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Also of no documents: then sums are 0 and there are no extremes, means and values."""
        write(index, {"a": {"size": 3, "timestamp": HOURS[0], "event_id": "e"}})
        asked: dict[str, Metric] = {
            "sum": Sum("size"),
            "min": Min("size"),
            "mean": Mean("size"),
            "last": Last("size"),
            "count": Count(),
        }
        order = ("timestamp", "event_id")
        with store.snapshot([index]) as snapshot:
            (group,) = snapshot.groups(Filter(), [], asked, newest_by=order)
            assert (group.key, group.count) == ((), 1)
            assert group.values == {"sum": 3, "min": 3, "mean": 3.0, "last": 3, "count": 1}
            assert group.newest is not None
            assert group.newest["size"] == 3
            nothing = Filter().where("size", [4])
            (group,) = snapshot.groups(nothing, [], asked, newest_by=order)
        assert (group.key, group.count, group.newest) == ((), 0, None)
        assert group.values == {"sum": 0, "min": None, "mean": None, "last": None, "count": 0}

    def test_A000_27_A000_29_A000_30_a_condition_includes_first_and_then_excludes(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Values match as a whole and with their case; a missing one is never excluded."""
        values = ["UNKNOWN", "unknown", "UNKNOWN ", "RTC", "", None]
        bodies = [{"size": 1, "path": each, "status": n % 2} for n, each in enumerate(values)]
        write(index, {f"k{n}": body for n, body in enumerate(bodies)})
        conditions: dict[str, Where | Filter] = {
            "included": Where("path", include=["UNKNOWN", "RTC"]),
            "excluded": Where("path", exclude=["UNKNOWN", "RTC"]),
            "both": Where("path", include=["UNKNOWN", "RTC"], exclude=["RTC", ""]),
            "neither": Where("path", include=["RTC"], exclude=["RTC"]),
            "several": Filter().where("path", exclude=["RTC"]).where("status", include=[1]),
        }
        asked: dict[str, Metric] = {n: Count(where=each) for n, each in conditions.items()}
        with store.snapshot([index]) as snapshot:
            (group,) = snapshot.groups(Filter(), ["size"], asked)
        assert group.values == {
            "included": 2,
            "excluded": 4,
            "both": 1,
            "neither": 0,
            "several": 2,
        }

    def test_sums_of_whole_numbers_are_whole_numbers(
        self, store: Store, index: str, write: Write
    ) -> None:
        """A sum of integers should be an int and exact, extremes as well."""
        write(index, {f"k{n}": {"size": 2**40 + n} for n in range(100)})
        asked: dict[str, Metric] = {"sum": Sum("size"), "min": Min("size"), "max": Max("size")}
        with store.snapshot([index]) as snapshot:
            (group,) = snapshot.groups(Filter(), [], asked)
        assert group.values == {"sum": 100 * 2**40 + 4950, "min": 2**40, "max": 2**40 + 99}
        assert {type(value) for value in group.values.values()} == {int}

    def test_extremes_of_dates_are_dates(self, store: Store, index: str, write: Write) -> None:
        """To the millisecond, before 1970 as well; of the documents that have the field."""
        times = ["1969-12-31T23:59:59.999Z", "2016-12-18T10:00:00.001Z", "2016-12-18T10:00:00.000Z"]
        write(index, {f"k{n}": {"seen": time, "size": n} for n, time in enumerate(times)})
        write(index, {"k9": {"size": 9}})
        asked: dict[str, Metric] = {
            "min": Min("seen"),
            "max": Max("seen"),
            "later": Min("seen", where=Where("size", exclude=[0])),
            "none": Max("seen", where=Where("size", include=[9])),
        }
        with store.snapshot([index]) as snapshot:
            (group,) = snapshot.groups(Filter(), [], asked)
        expected = {"min": times[0], "max": times[1], "later": times[2], "none": None}
        assert group.values == expected

    def test_first_and_last_go_by_time_then_event_id(
        self, store: Store, index: str, write: Write
    ) -> None:
        """A document without the field should count as the oldest or newest nevertheless."""
        write(
            index,
            {
                "1": {"timestamp": HOURS[1], "event_id": "b", "path": "x", "size": 1},
                "2": {"timestamp": HOURS[1], "event_id": "a", "path": "x", "size": 2},
                "3": {"timestamp": HOURS[1], "event_id": "c", "path": "x", "size": 3},
                "4": {"timestamp": HOURS[2], "event_id": "0", "path": "x", "is_robot": True},
            },
        )
        person = Where("is_robot", exclude=[True])
        asked: dict[str, Metric] = {
            "first": First("size"),
            "last": Last("size"),
            "person": Last("size", where=person),
            "robot": Last("is_robot"),
        }
        order = ("timestamp", "event_id")
        with store.snapshot([index]) as snapshot:
            (group,) = snapshot.groups(Filter(), ["path"], asked, newest_by=order)
        assert group.values == {"first": 2, "last": None, "person": 3, "robot": True}
        assert group.newest is not None
        assert group.newest["event_id"] == "0"

    def test_the_newest_document_is_the_last_by_the_fields_asked_for(
        self, store: Store, index: str, write: Write
    ) -> None:
        """The whole body should come, by whatever fields, and a missing value is the oldest."""
        bodies: dict[str, Mapping[str, Any]] = {
            "a": {"path": "x", "size": 2, "extra": {"deep": [1]}},
            "b": {"path": "x", "note": "no size"},
            "c": {"path": "y", "size": -5},
            "d": {"path": "x", "size": 1},
        }
        write(index, bodies)
        with store.snapshot([index]) as snapshot:
            groups = list(snapshot.groups(Filter(), ["path"], {}, newest_by=["size"]))
        assert [group.newest for group in groups] == [bodies["a"], bodies["c"]]

    def test_there_may_be_more_groups_than_a_page(
        self, store: Store, index: str, write: Write
    ) -> None:
        """5,000 groups of two fields should come in order, each with its own newest document."""
        write(
            index,
            {
                f"{n}-{twice}": {"path": f"/{n:05}", "status": n % 7, "size": twice}
                for n in range(MANY_GROUPS)
                for twice in (1, 2)
            },
        )
        with store.snapshot([index]) as snapshot:
            asked = {"sum": Sum("size")}
            groups = list(snapshot.groups(Filter(), ["path", "status"], asked, newest_by=["size"]))
        assert [group.key for group in groups] == [(f"/{n:05}", n % 7) for n in range(MANY_GROUPS)]
        assert {(group.count, group.values["sum"]) for group in groups} == {(2, 3)}
        assert {group.newest and group.newest["size"] for group in groups} == {2}
        assert [g.newest and g.newest["path"] for g in groups] == [g.key[0] for g in groups]


def _check_equal(found: Sequence[Group], expected: Sequence[Group]) -> None:
    assert [(g.key, g.count, g.newest) for g in found] == [
        (g.key, g.count, g.newest) for g in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert one.values.keys() == other.values.keys()
        for name, value in other.values.items():
            found_value = one.values[name]
            assert isinstance(found_value, bool) == isinstance(value, bool)
            if isinstance(value, float):
                assert found_value == pytest.approx(value, rel=1e-9, abs=1e-6)
            else:
                assert found_value == value
