"""Declarations and the small values that travel between the stages."""

from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime
from typing import Any

import pytest

from stats_pipeline import Aggregation, Drop, EventType, Filter, Query, Where
from stats_pipeline.errors import DefinitionError
from stats_pipeline.importing import load
from stats_pipeline.model import Between

NOON = datetime(2017, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("declaration", "keys"),
    [
        (
            EventType,
            "event_type templates processor_class processor_config signal event_builders replaces",
        ),
        (
            Aggregation,
            "aggregation_name templates aggregator_class aggregator_config replaces",
        ),
        (Query, "query_name query_class query_config permission description replaces"),
    ],
)
def test_A004_02_37_50_declarations_have_the_keys_of_the_contract(
    declaration: type, keys: str
) -> None:
    """Keyword-only, and by these names."""
    assert [field.name for field in fields(declaration)] == keys.split()
    assert all(field.kw_only for field in fields(declaration))


@pytest.mark.parametrize(
    "declaration",
    [
        EventType(event_type="sale"),
        Aggregation(aggregation_name="sale-agg"),
        Query(query_name="sales", query_class=dict),
        Where("item", include=["x"]),
        Filter(),
    ],
)
def test_declarations_and_filters_are_frozen(declaration: Any) -> None:
    """Whoever gets one can't change it for others."""
    name = fields(declaration)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(declaration, name, "other")


def test_the_default_classes_can_be_imported() -> None:
    """They are named by path, so that declaring costs nothing."""
    assert load(EventType(event_type="x").processor_class, owner="x").__name__ == "EventsIndexer"
    assert (
        load(Aggregation(aggregation_name="x").aggregator_class, owner="x").__name__
        == "StatAggregator"
    )


def test_a_filter_grows_by_clauses_and_leaves_the_one_before_as_it_was() -> None:
    """A modifier can't spoil the filter of another aggregation."""
    empty = Filter()
    items = empty.where("item", include=["a", "b"])
    both = items.where("is_robot", exclude=[True]).between("timestamp", NOON)
    assert empty.clauses == ()
    assert items.clauses == (Where("item", include=("a", "b")),)
    assert both.clauses == (
        *items.clauses,
        Where("is_robot", exclude=(True,)),
        Between("timestamp", NOON),
    )
    assert empty.and_(*both.clauses) == both


@pytest.mark.parametrize(
    "clauses",
    [("kind",), (None,), (Filter(),), Where("kind", ["x"]), [Where("kind", ["x"])], iter(())],
)
def test_what_is_no_condition_of_a_filter_is_refused(clauses: Any) -> None:
    """Also a list and a generator: a check would have used that up, and it would keep all."""
    with pytest.raises(DefinitionError, match="A Filter has a tuple of conditions, and "):
        Filter(clauses)


def test_bounds_of_a_time_are_aware() -> None:
    """A naive one is UTC, wherever the process runs; what is no time is refused."""
    naive = Filter().between("seen", NOON.replace(tzinfo=None), NOON)
    assert naive == Filter().between("seen", NOON, NOON)
    for bound in ("2019-01-01", NOON.date(), 0):
        with pytest.raises(DefinitionError, match=r"between\('seen'\): the end is a datetime or"):
            Filter().between("seen", None, bound)  # type: ignore[arg-type]


def test_a_set_of_values_has_the_same_order_in_every_process() -> None:
    """The order of a set of texts changes with each process, and metrics are compared as text."""
    values = {f"value {number}" for number in range(50)}
    for condition in (Where("item", values), Filter().where("item", values).clauses[0]):  # type: ignore[arg-type]
        assert condition.include == tuple(sorted(values))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "arguments", [{}, {"include": []}, {"exclude": []}, {"include": [], "exclude": None}]
)
def test_a_condition_that_keeps_everything_is_refused(arguments: dict[str, Any]) -> None:
    """An empty list is rather a mistake than a wish."""
    with pytest.raises(DefinitionError, match="Where\\('item'\\) keeps everything"):
        Where("item", **arguments)


@pytest.mark.parametrize("name", ["include", "exclude"])
@pytest.mark.parametrize("value", ["UNKNOWN", b"UNKNOWN", True, 404])
def test_what_is_no_list_of_values_is_refused(name: str, value: Any) -> None:
    """Each character of a text would be a value; a single value is forgotten brackets."""
    arguments: dict[str, Any] = {name: value}
    for define in (Where, Filter().where):
        with pytest.raises(DefinitionError, match=f"{name} is a list of values, not "):
            define("boot_reason", **arguments)


@pytest.mark.parametrize("define", [Where, Filter().where])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"include": ["a", None]},
            "include has None.*to keep documents without the field, exclude",
        ),
        ({"exclude": [None]}, "exclude has None.*to leave documents without the field out, incl"),
        (
            {"include": [{"a": 1}]},
            "include has {'a': 1}, which no field can match; a value is text",
        ),
        ({"exclude": [["a"]]}, r"exclude has \['a'\], which no field can match"),
        ({"include": [b"a"]}, "include has b'a', which no field can match"),
    ],
)
def test_a_value_that_no_document_can_have_is_refused(
    define: Any, arguments: dict[str, Any], said: str
) -> None:
    """It would keep nothing, or leave nothing out, without a word."""
    with pytest.raises(DefinitionError, match=said):
        define("item", **arguments)


@pytest.mark.parametrize("value", ["", "a", 0, 1.5, False, NOON])
def test_every_value_of_a_field_may_be_asked_for(value: Any) -> None:
    """Text, numbers, true and false, and times."""
    assert Filter().where("item", [value]).clauses == (Where("item", (value,)),)


def test_a_drop_has_a_reason() -> None:
    """By which it is counted."""
    assert (Drop("robot").reason, str(Drop("robot"))) == ("robot", "robot")
