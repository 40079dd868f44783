"""Field types: what each takes, and the one form in which it is stored."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.fields import (
    FIELD_TYPES,
    GROUPABLE,
    LARGEST_FLOAT,
    LONGEST_KEYWORD_BYTES,
    NUMBERS,
    WHOLE_NUMBERS,
    nearest_number,
    one_form,
)

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.datetimes(timezones=st.timezones()),
    st.ip_addresses().map(str),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none() | st.floats() | st.text(), max_size=2),
)


@given(st.sampled_from(sorted(FIELD_TYPES)), ANYTHING)
def test_a_value_is_stored_in_one_form_or_refused(field_type: str, value: Any) -> None:
    """Checking twice should be checking once, and what is taken should be JSON without loss."""
    check = FIELD_TYPES[field_type]
    try:
        stored = check(value)
    except ValueError:
        return
    assert check(stored) == stored
    assert type(check(stored)) is type(stored)
    assert json.loads(json.dumps(stored, allow_nan=False)) == stored


@pytest.mark.parametrize(
    ("field_type", "value", "stored"),
    [
        ("keyword", "Ä", "Ä"),
        ("keyword", "", ""),
        ("keyword", 17, "17"),
        ("keyword", "x" * LONGEST_KEYWORD_BYTES, "x" * LONGEST_KEYWORD_BYTES),
        ("text", "x" * (LONGEST_KEYWORD_BYTES + 1), "x" * (LONGEST_KEYWORD_BYTES + 1)),
        ("long", 2**63 - 1, 2**63 - 1),
        ("long", -(2**63), -(2**63)),
        ("integer", 3.0, 3),
        ("byte", -128, -128),
        ("double", 1, 1.0),
        ("double", 1.7976931348623157e308, 1.7976931348623157e308),
        ("float", LARGEST_FLOAT, LARGEST_FLOAT),
        ("boolean", False, False),
        ("date", "2016-12-18T10:00:00+01:00", "2016-12-18T09:00:00.000Z"),
        ("date", datetime(2016, 12, 18, tzinfo=UTC), "2016-12-18T00:00:00.000Z"),
        ("ip", "2001:DB8::0001", "2001:db8::1"),
        ("ip", "::ffff:10.0.0.1", "10.0.0.1"),
        ("object", {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        ("binary", "AAEC/w==", "AAEC/w=="),
    ],
)
def test_good_values_are_taken(field_type: str, value: Any, stored: Any) -> None:
    """Each type should take its values and give them their form and Python type."""
    found = FIELD_TYPES[field_type](value)
    assert found == stored
    assert type(found) is type(stored)


@pytest.mark.parametrize(
    ("field_type", "value", "problem"),
    [
        ("keyword", True, "expected text"),
        ("keyword", 1.5, "expected text"),
        ("keyword", ["a"], "expected text"),
        ("keyword", "ä" * LONGEST_KEYWORD_BYTES, "is longer than 32766 bytes"),
        ("keyword", "a\ud800", "lone surrogate"),
        ("text", "a\ud800", "lone surrogate"),
        ("text", 5, "expected text"),
        ("long", True, "expected a whole number"),
        ("long", "5", "expected a whole number"),
        ("long", 1.5, "expected a whole number"),
        ("long", float("nan"), "expected a whole number"),
        ("long", 2**63, "whole number of 64 bits"),
        ("long", 1e300, "whole number of 64 bits"),
        ("short", 40_000, "whole number of 16 bits"),
        ("double", True, "expected a number"),
        ("double", "1.5", "expected a number"),
        ("double", float("inf"), "expected a number between"),
        ("double", float("nan"), "expected a number between"),
        ("double", 10**400, "expected a number between"),
        ("float", 1e39, "expected a number between"),
        ("boolean", 1, "expected true or false"),
        ("boolean", "true", "expected true or false"),
        ("date", "yesterday", "not an ISO 8601 time"),
        ("date", 1_482_055_200_000, "neither ISO 8601 text nor a datetime"),
        ("ip", "10.0.0.256", "10.0.0.256"),
        ("ip", 1, "expected an IP address"),
        ("ip", "fe80::1%eth0", "without a zone"),
        ("binary", "AAE", "expected bytes as base64"),
        ("binary", b"AAEC", "expected text"),
        ("object", [1], "expected an object"),
        ("object", {"a": float("inf")}, "holds what JSON can't"),
        ("object", {"a": datetime(2016, 1, 1, tzinfo=UTC)}, "holds what JSON can't"),
    ],
)
def test_bad_values_are_refused_with_the_reason(field_type: str, value: Any, problem: str) -> None:
    """The reason should end a sentence that begins with the field's name."""
    with pytest.raises(ValueError, match=problem):
        FIELD_TYPES[field_type](value)


@pytest.mark.parametrize(
    ("field_type", "value", "stored"),
    [
        ("keyword", ["b", "a", "b", None, 1], ["1", "a", "b"]),
        ("keyword", ("a",), "a"),
        ("keyword", [None], None),
        ("keyword", [], None),
        ("keyword", "a", "a"),
        ("long", 3.0, 3),
    ],
)
def test_several_values_are_a_set(field_type: str, value: Any, stored: Any) -> None:
    """Whatever their order and however often each was given, they have one form."""
    assert one_form(field_type, value) == stored


@pytest.mark.parametrize(
    ("field_type", "value", "problem"),
    [
        ("long", [1], "lists are for keyword fields only"),
        ("object", [{}], "lists are for keyword fields only"),
        ("keyword", [["a"]], "expected text"),
        ("keyword", ["a\0", "b"], "a null character in a list"),
    ],
)
def test_other_lists_are_refused(field_type: str, value: Any, problem: str) -> None:
    """Numbers have sums and an order, for which an event needs one value."""
    with pytest.raises(ValueError, match=problem):
        one_form(field_type, value)


def test_an_object_that_holds_itself_is_refused() -> None:
    """Endless values should not hang or end the process."""
    value: dict[str, Any] = {}
    value["self"] = value
    with pytest.raises(ValueError, match="holds what JSON can't"):
        FIELD_TYPES["object"](value)


def test_groups_of_types_name_types() -> None:
    """What is said of types should be said of types that exist."""
    assert WHOLE_NUMBERS < NUMBERS <= FIELD_TYPES.keys()
    assert FIELD_TYPES.keys() >= GROUPABLE >= WHOLE_NUMBERS


@given(st.sampled_from(sorted(FIELD_TYPES)), ANYTHING)
def test_a_number_beyond_a_type_has_a_nearest_one_that_fits(field_type: str, value: Any) -> None:
    """What fits needs none, and what is no number has none."""
    nearest = nearest_number(field_type, value)
    if nearest is not None:
        assert one_form(field_type, nearest) == nearest
        assert nearest != value
        assert (nearest < value) == (value > 0)
    elif field_type in NUMBERS and type(value) is int:
        assert one_form(field_type, value) == value
