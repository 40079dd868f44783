"""Sketches: counts of sets that were put together, within the bound, whatever the parts."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.sketches import BOUND, SketchUnion, count_and_sketch

#: No two of these are taken for one by a sketch, so that what it counts of them is exact.
FEW = st.sets(st.sampled_from(["", " ", "0", "1", "True", "a", "A", "a\0b", "Ä", "Zürich", "😀"]))


def merged(*sketches: str) -> int:
    """Return how many values there are in these sketches together."""
    union = SketchUnion()
    for sketch in sketches:
        union.add(sketch)
    return union.count


def sketch_of(values: Iterable[object]) -> str:
    """Return the sketch of these values."""
    return count_and_sketch(values)[1]


def visitors(start: int, end: int) -> list[str]:
    """Return so many different visitor ids."""
    return [f"{number:032x}" for number in range(start, end)]


@given(FEW.flatmap(lambda values: st.tuples(st.just(values), st.permutations(sorted(values)))))
def test_a_set_has_one_sketch_in_whatever_order_it_comes(
    sets: tuple[set[str], list[str]],
) -> None:
    """The bytes are those of the set, so that nothing is written where nothing has changed."""
    values, shuffled = sets
    assert count_and_sketch(sorted(values)) == count_and_sketch(shuffled)


def test_a_large_set_has_one_sketch_in_whatever_order_it_comes() -> None:
    """The same holds where a sketch has long left the form that it has for a few values."""
    values = visitors(0, 20_000)
    assert sketch_of(values) == sketch_of(reversed(values))


@given(FEW, FEW)
def test_a_union_is_that_of_the_sets_whichever_comes_first(
    first: set[str], second: set[str]
) -> None:
    """Merging is commutative, and counts what is in both once."""
    a, b = sketch_of(first), sketch_of(second)
    assert merged(a, b) == merged(b, a) == merged(a, a, b) == len(first | second)


@given(st.data())
def test_any_partition_says_what_the_whole_says(data: st.DataObject) -> None:
    """How a set is cut into parts, also overlapping ones, makes no difference to the estimate."""
    total = data.draw(st.sampled_from([50, 1_000, 5_000]))
    bounds = st.integers(min_value=0, max_value=total)
    cuts = sorted({0, total, *data.draw(st.lists(bounds, max_size=5))})
    overlap = data.draw(st.integers(min_value=0, max_value=20))
    parts = [sketch_of(visitors(max(start - overlap, 0), end)) for start, end in pairwise(cuts)]
    assert merged(*parts) == merged(sketch_of(visitors(0, total)))


@pytest.mark.parametrize("total", [0, 1, 2, 10, 1_000, 20_000, 100_000])
def test_an_estimate_is_within_the_bound(total: int) -> None:
    """Of a set in 31 parts, as of a month's days, each value in two of them."""
    values = visitors(0, total)
    parts = [sketch_of([*values[day::31], *values[(day + 1) % 31 :: 31]]) for day in range(31)]
    assert abs(merged(*parts) - total) <= BOUND * total


@pytest.mark.parametrize(
    ("total", "largest_bytes"), [(0, 16), (1, 32), (10, 64), (1_000, 1_200), (100_000, 7_000)]
)
def test_small_sets_have_small_sketches(total: int, largest_bytes: int) -> None:
    """A row of one visitor must not cost what one of a hundred thousand does."""
    assert len(sketch_of(visitors(0, total))) <= largest_bytes


def test_the_number_beside_a_sketch_is_exact() -> None:
    """Values are counted while they go by, and an empty text is a value as well."""
    assert count_and_sketch(visitors(0, 30_000))[0] == 30_000
    count, sketch = count_and_sketch(["", "a"])
    assert (count, merged(sketch)) == (2, 2)


def test_a_sketch_holds_no_value() -> None:
    """Neither the values nor hashes from which they could be looked up are in it."""
    ids = visitors(10**30, 10**30 + 3)
    assert not any(visitor in sketch_of(ids) for visitor in ids)
    # A few bits of each: from 32 bytes of an id, less than 3.
    few, many = (len(sketch_of(visitors(0, total))) for total in (100, 200))
    assert (many - few) * 3 / 4 / 100 < 3


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", "ÄÖ", "AgEQCwQG"])
def test_what_is_no_sketch_is_refused(text: str) -> None:
    """A row may come from elsewhere; it must not end in a wrong number."""
    with pytest.raises(ValueError, match="is no sketch"):
        SketchUnion().add(text)
