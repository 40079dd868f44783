"""What every store must do with filters."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats_pipeline.model import Between, Filter, Where
from stats_pipeline.stores.protocol import Store
from tests.stores import reference
from tests.stores.conftest import Write

DAY = datetime(2016, 12, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)

TIMES = ["2016-12-17T23:59:59.999Z", "2016-12-18T00:00:00.000Z", "2016-12-18T01:00:00.001Z"]

#: field -> values that documents have, of which filters ask for some.
VALUES: dict[str, list[Any]] = {
    "path": ["", "a", "A", "ab", "a b", "ä", "a\\*"],
    "size": [-(2**53), -1, 0, 1, 2**53],
    "status": [-1, 200, 404],
    "ratio": [-0.5, 0.0, 0.1, 1e300],
    "is_robot": [True, False],
    "seen": TIMES,
    "address": ["10.0.0.1", "10.0.0.2", "2001:db8::1"],
}

PATHS = st.lists(st.sampled_from(VALUES["path"]), min_size=2, unique=True).map(sorted)

BODIES = st.fixed_dictionaries(
    {},
    optional={
        **{field: st.sampled_from(values) for field, values in VALUES.items()},
        "path": st.sampled_from(VALUES["path"]) | PATHS,
    },
)


@st.composite
def clauses(draw: st.DrawFn) -> Where | Between:
    """Draw a clause, more often than not about a value that documents have."""
    if draw(st.integers(0, 4)) == 0:
        bounds = st.none() | st.sampled_from([DAY - HOUR, DAY, DAY + HOUR, DAY + 2 * HOUR])
        return Between("seen", draw(bounds), draw(bounds))
    field = draw(st.sampled_from(sorted(VALUES)))
    some = st.lists(st.sampled_from(VALUES[field]), min_size=1, max_size=3)
    include, exclude = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    return Where(field, draw(some) if include else None, draw(some) if exclude else None)


_numbers = count()


class FilterContract:
    """Be the part of the contract about which documents a filter keeps."""

    #: How many examples a law is tried on; fewer where each costs requests.
    examples = 60

    def test_filters_mean_what_they_mean_in_python(
        self, store: Store, index: str, write: Write
    ) -> None:
        """All clauses together should keep what a few lines of Python keep."""

        @settings(max_examples=self.examples, deadline=None)
        @given(st.lists(BODIES, max_size=8), st.lists(clauses(), min_size=1, max_size=3))
        def law(bodies: list[dict[str, Any]], some: list[Where | Between]) -> None:
            batch = str(next(_numbers))
            keys = {f"{batch}-{n}": {**body, "batch": batch} for n, body in enumerate(bodies)}
            write(index, keys)
            where = Filter((Where("batch", [batch]), *some))
            expected = reference.select(where, keys.values())
            with store.snapshot([index]) as snapshot:
                found = {document.id for document in snapshot.scan(where, ["size"])}
                assert found == {key for key, body in keys.items() if body in expected}
                assert snapshot.count(where) == len(expected)

        law()

    @pytest.mark.parametrize("field", sorted(VALUES))
    def test_a_value_of_any_type_is_included_or_excluded(
        self, store: Store, index: str, write: Write, field: str
    ) -> None:
        """Include keeps the documents with a value, exclude all others, also those without."""
        values = VALUES[field]
        write(index, {f"k{n}": {field: value} for n, value in enumerate(values)} | {"none": {}})
        keys = {f"k{n}" for n in range(len(values))} | {"none"}
        for number, value in enumerate(values):
            mine = {f"k{number}"}
            assert _found(store, index, Filter().where(field, [value])) == mine
            assert _found(store, index, Filter().where(field, None, [value])) == keys - mine
        assert _found(store, index, Filter().where(field, values)) == keys - {"none"}
        assert _found(store, index, Filter().where(field, None, values)) == {"none"}

    def test_one_of_several_values_is_enough(self, store: Store, index: str, write: Write) -> None:
        """To be included, and to be excluded."""
        write(index, {"ab": {"path": ["a", "b"]}, "b": {"path": "b"}, "none": {}})
        assert _found(store, index, Filter().where("path", ["a"])) == {"ab"}
        assert _found(store, index, Filter().where("path", ["b"])) == {"ab", "b"}
        assert _found(store, index, Filter().where("path", None, ["a"])) == {"b", "none"}
        assert _found(store, index, Filter().where("path", ["b"], ["a"])) == {"b"}

    def test_excluding_acts_on_what_was_included(
        self, store: Store, index: str, write: Write
    ) -> None:
        """A value that is both included and excluded should not be kept."""
        write(index, {"a": {"path": "a"}, "b": {"path": "b"}, "none": {}})
        where = Filter().where("path", ["a", "b"], ["b", "c"])
        assert _found(store, index, where) == {"a"}

    def test_times_between_bounds_exclude_the_end(
        self, store: Store, index: str, write: Write
    ) -> None:
        """The start should be kept and the end not; each side may be open."""
        write(index, {str(n): {"seen": time} for n, time in enumerate(TIMES)} | {"none": {}})
        last = DAY + HOUR + timedelta(milliseconds=1)
        assert _found(store, index, Filter().between("seen", DAY, last)) == {"1"}
        assert _found(store, index, Filter().between("seen", DAY)) == {"1", "2"}
        assert _found(store, index, Filter().between("seen", end=DAY)) == {"0"}
        assert _found(store, index, Filter().between("seen")) == {"0", "1", "2"}
        assert _found(store, index, Filter().between("seen", last, DAY)) == set()

    def test_values_may_be_written_in_other_ways(
        self, store: Store, index: str, write: Write
    ) -> None:
        """A time in another zone, an int for text, or text from a URL should be understood."""
        write(
            index,
            {
                "a": {"seen": TIMES[1], "path": "17", "size": 5, "ratio": 2.5, "is_robot": True},
                "b": {"seen": TIMES[2], "path": "18", "size": 6, "ratio": 3.0, "is_robot": False},
            },
        )
        zurich = timezone(timedelta(hours=1))
        for field, value in (
            ("seen", DAY),
            ("seen", DAY.astimezone(zurich)),
            ("seen", "2016-12-18T01:00:00+01:00"),
            ("path", 17),
            ("size", 5.0),
            ("size", "5"),
            ("ratio", "2.5"),
            ("is_robot", "true"),
        ):
            assert _found(store, index, Filter().where(field, [value])) == {"a"}, (field, value)
            assert _found(store, index, Filter().where(field, None, [value])) == {"b"}

    def test_a_value_that_a_field_can_not_have_matches_nothing(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Including only such values should keep nothing, excluding them everything."""
        write(index, {"a": {"size": 1, "seen": TIMES[0], "is_robot": True, "address": "10.0.0.1"}})
        for field, value in (
            ("size", "many"),
            ("size", 1.5),
            ("size", 2**70),
            ("seen", "yesterday"),
            ("is_robot", 1),
            ("is_robot", "perhaps"),
            ("address", "nowhere"),
            ("ratio", "nan"),
        ):
            assert _found(store, index, Filter().where(field, [value])) == set(), (field, value)
            assert _found(store, index, Filter().where(field, None, [value])) == {"a"}

    def test_no_document_has_a_field_that_is_unknown(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Including a value of it should keep nothing, excluding one everything."""
        write(index, {"a": {"size": 1}})
        assert _found(store, index, Filter().where("nope", ["x"])) == set()
        assert _found(store, index, Filter().where("nope", None, ["x"])) == {"a"}
        assert _found(store, index, Filter().between("nope", DAY)) == set()

    def test_a_filter_may_name_a_thousand_values(
        self, store: Store, index: str, write: Write
    ) -> None:
        """Long lists, as of robots or items, should work."""
        write(index, {"a": {"path": "p7"}, "b": {"path": "q"}})
        many = [f"p{number}" for number in range(1_000)]
        assert _found(store, index, Filter().where("path", many)) == {"a"}
        assert _found(store, index, Filter().where("path", None, many)) == {"b"}


def _found(store: Store, index: str, where: Filter) -> set[str]:
    with store.snapshot([index]) as snapshot:
        found = {document.id for document in snapshot.scan(where, ["size"])}
        assert snapshot.count(where) == len(found)
    return found
