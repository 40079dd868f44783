"""Mappings with which a store would match something else than what is stored are refused."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline import Count, Filter, Last, Max, Unique, Where
from stats_pipeline.errors import DefinitionError
from stats_pipeline.intervals import period_of
from stats_pipeline.registry import AggregationDefinition, EventDefinition, Registries
from tests.registry.conftest import PROPERTIES, MakeRegistries

KEYWORD = {"type": "keyword"}
CUT = {"type": "keyword", "ignore_above": 10}


def only_small(events: Filter) -> Filter:
    """Keep events whose ratio is at hand."""
    return events.where("ratio", exclude=[5.0])


@pytest.fixture
def make(registries: MakeRegistries, tmp_path: Path) -> Any:
    """Give a function that makes registries of `thing`, with these mappings and configuration."""

    def make(
        of_event: dict[str, Any], of_rows: dict[str, Any] | None = None, **config: Any
    ) -> Registries:
        for name, own in (("thing", {**PROPERTIES, **of_event}), ("stats-thing", of_rows or {})):
            body = {"template": {"mappings": {"properties": own}}}
            (tmp_path / f"{name}.json").write_text(json.dumps(body))
        config = {"event": "thing", "aggregation_field": "item", **config}
        templates = {"templates": str(tmp_path)}
        return registries(
            STATS_EVENTS={"thing": templates},
            STATS_AGGREGATIONS={"thing-agg": {"aggregator_config": config, **templates}},
        )

    return make


@pytest.fixture
def define(make: Any) -> Any:
    """Give a function that makes the aggregation of these registries."""

    def define(*mappings: dict[str, Any], **config: Any) -> AggregationDefinition:
        made: AggregationDefinition = make(*mappings, **config).aggregation("thing-agg")
        return made

    return define


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"ignore_above": 10}, "ignore_above=10, with which longer texts are never found"),
        ({"normalizer": "lower"}, "normalizer='lower', with which texts are found in another"),
        ({"null_value": "-"}, "null_value='-', with which a missing value is found"),
        ({"doc_values": False}, "doc_values=False, with which nothing can be grouped by it"),
        ({"index": "false"}, "index='false', with which nothing is found by it"),
    ],
)
def test_a_dimension_of_which_other_values_would_be_found_is_refused(
    define: Any, parameters: dict[str, Any], why: str
) -> None:
    """With the reason and the way out; before, one store counted what the other did not."""
    definition = define({"item": {**KEYWORD, **parameters}})
    with pytest.raises(
        DefinitionError,
        match=f"aggregation_field: the event's template maps 'item' with {why}.*; leave that par",
    ):
        _ = definition.config
    assert define({"item": {**KEYWORD, "doc_values": True, "index": "true", "meta": {}}}).template


@pytest.mark.parametrize(
    ("field", "config"),
    [
        ("size", {"metrics": {"n": Max("size")}}),
        ("note", {"metrics": {"n": Unique("note")}}),
        ("note", {"metrics": {"n": Count(where=Where("note", include=["x"]))}}),
        ("ratio", {"query_modifiers": [only_small]}),
    ],
)
def test_what_is_measured_or_filtered_by_is_refused_as_well(
    define: Any, field: str, config: dict[str, Any]
) -> None:
    """Metrics, their filters, and the fields of query modifiers."""
    mappings = {
        "size": {"type": "long", "doc_values": False},
        "note": CUT,
        "ratio": {"type": "double", "index": False},
    }
    definition = define(mappings, **config)
    day = period_of(datetime(2016, 12, 18, tzinfo=UTC), "day")
    with pytest.raises(DefinitionError, match=f"template maps '{field}' with"):
        definition.aggregator_class(definition).filter(day)


def test_a_field_that_gets_the_values_of_another_is_refused(define: Any) -> None:
    """Elasticsearch would find events by values that their field does not have."""
    definition = define({"note": {"type": "text", "copy_to": ["item"]}})
    with pytest.raises(DefinitionError, match=r"maps 'note' with copy_to=.* those of 'item'"):
        _ = definition.config


def test_what_is_only_copied_may_be_mapped_as_you_like(define: Any) -> None:
    """It is read from the document; in the rows, where queries may ask for it, it is whole."""
    mappings = {"label": {**CUT, "copy_to": "note"}}
    config = {"copy_fields": {"label": "label"}, "metrics": {"last": Last("label")}}
    properties = define(mappings, **config).template.properties
    assert (properties["label"], properties["last"]) == (KEYWORD, KEYWORD)


@pytest.mark.parametrize(
    ("of_rows", "message"),
    [
        ({"item": {"type": "text"}}, "gives the dimension 'item' the type text, .*has keyword"),
        ({"item": CUT}, "its template maps 'item' with ignore_above=10"),
        ({"more": CUT}, "its template maps 'more' with ignore_above=10"),
        ({"count": KEYWORD}, "gives 'count' the type keyword, .* is of the type long; leave"),
        ({"mean": {"type": "long"}}, "gives 'mean' the type long, .*of the type double"),
        ({"label": {"type": "text"}}, "gives 'label' the type text, .*of the type keyword"),
    ],
)
def test_rows_that_would_never_heal_or_never_be_found_are_refused(
    make: Any, of_rows: dict[str, Any], message: str
) -> None:
    """By the type of a dimension, of what is computed, and by parameters; when the app starts."""
    config = {
        "aggregation_field": ["item", "size"],
        "copy_fields": {"label": "item", "free": str},
        "metrics": {"mean": ("mean", "ratio"), "volume": ("sum", "size")},
    }
    fitting = {"free": {"type": "text"}, "volume": {"type": "double"}, "count": {"type": "integer"}}
    make({}, fitting, **config).check_overrides()
    with pytest.raises(DefinitionError, match=message):
        make({}, of_rows, **config).check_overrides()


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"visitor_id": {"type": "text"}}, "'visitor_id' the type text, .*of the type keyword"),
        ({"visitor_id": CUT}, "maps 'visitor_id' with ignore_above"),
    ],
)
def test_what_every_event_may_have_is_mapped_as_we_need_it(
    make: Any, mapping: dict[str, Any], message: str
) -> None:
    """We find events by it ourselves; refused when the app starts."""
    with pytest.raises(DefinitionError, match=f"event type 'thing' of .*{message}"):
        make(mapping).check_overrides()
    formats = "epoch_millis||strict_date_optional_time"
    wider = {"revision": {"type": "long"}, "timestamp": {"type": "date", "format": formats}}
    definition: EventDefinition = make(wider).event_type("thing")
    assert definition.template.types["revision"] == "long"
