"""Aggregations are checked when they are first used, against the events that they count."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline import Count, Filter, Sum, Unique, Where
from stats_pipeline.aggregations import exclude_robots
from stats_pipeline.aggregations.aggregator import StatAggregator
from stats_pipeline.errors import DefinitionError, StatsError, UnknownAggregation
from stats_pipeline.registry import AggregationDefinition
from tests.registry.conftest import MakeRegistries, Register

NOON = datetime(2016, 12, 18, 12, tzinfo=UTC)

#: A condition that fits.
SMALL = Filter().where("size", exclude=[0])


@pytest.fixture
def define(register: Register, registries: MakeRegistries, templates: str) -> Any:
    """Give a function that defines an aggregation of `thing` with this configuration."""
    register("shop", events=[{"event_type": "thing", "templates": templates}])

    def define(**config: Any) -> AggregationDefinition:
        complete = {"event": "thing", "aggregation_field": "item", **config}
        aggregation = {"templates": "", "aggregator_config": complete}
        return registries(STATS_AGGREGATIONS={"thing-agg": aggregation}).aggregation("thing-agg")

    return define


def test_A004_38_43_what_is_left_out_has_the_documented_default(define: Any) -> None:
    """A row a day, an index a month, UTC, robots left out; the event type need not be active."""
    definition = define()
    config = definition.config
    assert (config.aggregation_interval, config.index_interval) == ("day", "month")
    assert str(config.time_zone) == "UTC"
    assert definition.modifiers == (exclude_robots,)
    assert (config.copy_fields, config.metrics) == ({}, {})
    assert definition.aggregator_class is StatAggregator
    assert definition.event.name == "thing"


def test_A004_38_what_is_said_is_taken_and_a_client_is_refused(define: Any) -> None:
    """Each key takes effect; there is one store for all of an app, so a client is no key."""
    definition = define(
        aggregation_field=["item", "size"],
        aggregation_interval="month",
        index_interval="year",
        time_zone="Europe/Zurich",
        copy_fields={"price": "ratio"},
        query_modifiers=[],
    )
    config = definition.config
    assert (config.event, config.aggregation_field) == ("thing", ("item", "size"))
    assert (config.aggregation_interval, config.index_interval) == ("month", "year")
    assert str(config.time_zone) == "Europe/Zurich"
    assert (config.copy_fields, definition.modifiers) == ({"price": "ratio"}, ())
    with pytest.raises(DefinitionError, match=r"'thing-agg' of .*unknown key 'client'"):
        _ = define(client=object()).config


def test_rows_have_a_field_for_everything_that_is_declared(define: Any) -> None:
    """Dimensions and copies have the event's types, metrics the type of what they compute."""
    definition = define(
        copy_fields={"price": "ratio", "label": str},
        metrics={
            "visitors": ("unique", "visitor_id"),
            "volume": ("sum", "size"),
            "worth": Sum("ratio"),
            "mean_size": ("mean", "size"),
            "largest": ("max", "size"),
            "first_seen": ("min", "timestamp"),
            "last_note": ("last", "note"),
            "big": Count(where=Where("item", include=["x"])),
        },
    )
    expected = {
        "timestamp": "date",
        "start": "date",
        "end": "date",
        "count": "long",
        "source": "keyword",
        "item": "keyword",
        "price": "double",
        "label": "keyword",
        "visitors": "long",
        "visitors_sketch": "binary",
        "volume": "long",
        "worth": "double",
        "mean_size": "double",
        "largest": "long",
        "first_seen": "date",
        "last_note": "text",
        "big": "long",
    }
    assert definition.template.types == expected


@pytest.mark.parametrize(
    ("config", "message"),
    [
        # B13: the interval of an index must hold whole rows
        ({"aggregation_interval": "month", "index_interval": "day"}, "index_interval='day' is sho"),
        ({"aggregation_interval": "year", "index_interval": "quarter"}, "holds whole intervals"),
        ({"aggregation_interval": "fortnight"}, "aggregation_interval='fortnight' is not one of"),
        ({"index_interval": "hour"}, "index_interval='hour' is not one of day, week, month"),
        ({"time_zone": "Mars/Olympus"}, "'Mars/Olympus' is not a time zone"),
        ({"time_zone": 5}, "time_zone must be an IANA name"),
        ({"event": ""}, "aggregator_config needs 'event'"),
        ({"aggregation_field": []}, "aggregator_config needs 'aggregation_field'"),
        ({"aggregation_field": "itm"}, "no field 'itm'; did you mean 'item'"),
        ({"aggregation_field": "note"}, "the field 'note' has the type text, but only one of"),
        ({"aggregation_field": 5}, "aggregation_field must be a field's name or a list"),
        ({"copy_fields": {"x": "itm"}}, "copy_fields: .*no field 'itm'; did you mean 'item'"),
        ({"copy_fields": {"x": 5}}, r"copy_fields\['x'\] is a field's name or a callable, not 5"),
        ({"copy_fields": ["item"]}, "copy_fields must be a dict"),
        ({"copy_fields": {"count": "size"}}, "a row would have two fields 'count'"),
        ({"copy_fields": {"n": "size"}, "metrics": {"n": ("sum", "size")}}, "two fields 'n'"),
        ({"metrics": {"item": ("sum", "size")}}, "a row would have two fields 'item'"),
        (
            {"metrics": {"v": ("unique", "item")}, "copy_fields": {"v_sketch": "size"}},
            "a row would have two fields 'v_sketch'",
        ),
        ({"metrics": {"n": ("sum", "sizes")}}, "metric 'n': .*no field 'sizes'; .*'size'"),
        ({"metrics": {"n": ("sum", "item")}}, "'item' has the type keyword, .*is a number"),
        ({"metrics": {"n": ("sum", "timestamp")}}, "'timestamp' has the type date, .*is a number$"),
        ({"metrics": {"n": ("mean", "timestamp")}}, "'timestamp' has the type date, .*a number$"),
        ({"metrics": {"n": ("max", "item")}}, "'item' has the type keyword, .*number or a date"),
        ({"metrics": {"n": Unique("note")}}, "'note' has the type text, .*told apart exactly"),
        ({"metrics": {"n": ("last", "nothing")}}, "no field 'nothing'"),
        ({"metrics": {"n": Count(where=Where("nothing", include=[1]))}}, "no field 'nothing'"),
        ({"metrics": {"n": Count(where=Where("note", include=["a b"]))}}, "can be filtered by"),
        ({"metrics": {"n": Count(where=SMALL.where("nothing", [1]))}}, "no field 'nothing'"),
        (
            {"metrics": {"n": Count(where=SMALL.where("size", ["x"]))}},
            "'x', which the field 'size'",
        ),
        ({"metrics": {"n": Count(where=SMALL.between("size"))}}, "type long, .*has a time"),
        ({"metrics": {"n": Count(where=SMALL.between("timestamp", NOON, NOON))}}, "no 'timestamp'"),
        ({"aggregation_field": [["item"]]}, r"no field \['item'\]"),
        ({"metrics": {"n": ("median", "size")}}, r"\('median', 'size'\) is not a metric"),
        ({"metrics": [("sum", "size")]}, "metrics must be a dict"),
        ({"query_modifiers": "exclude_robots"}, "query_modifiers must be a list"),
        ({"query_modifiers": ["shop.nowhere.thing"]}, "'shop.nowhere.thing' can't be imported"),
        ({"agregation_field": "item"}, "'agregation_field' in .*mean 'aggregation_field'"),
        ({"event": "thingy"}, "Unknown event type 'thingy'; did you mean 'thing'"),
    ],
)
def test_B13_a_wrong_aggregator_config_is_refused_before_anything_is_computed(
    define: Any, config: dict[str, Any], message: str
) -> None:
    """The message names the key or metric, and what is allowed or near."""
    definition = define(**config)
    with pytest.raises(StatsError, match=message):
        definition.aggregator_class(definition)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("size", "abc", "expected a whole number"),
        ("size", 1.5, "expected a whole number"),
        ("size", True, "expected a whole number"),
        ("size", 2**63, "expected a whole number of 64 bits"),
        ("ratio", "many", "expected a number"),
        ("is_robot", "yes", "expected true or false"),
        ("is_robot", 1, "expected true or false"),
        ("timestamp", "yesterday", "'yesterday' is not an ISO 8601 time"),
        ("item", 1.5, "expected text"),
    ],
)
@pytest.mark.parametrize("key", ["include", "exclude"])
def test_a_condition_that_no_event_can_meet_is_refused(
    define: Any, field: str, value: Any, reason: str, key: str
) -> None:
    """It would count nothing, or everything, without a word."""
    metric = Count(where=Where(field, **{key: [value]}))
    message = f"metric 'n': {key} has {value!r}, which the field '{field}' .* can't have: {reason}"
    with pytest.raises(DefinitionError, match=message):
        _ = define(metrics={"n": metric}).config


def test_a_condition_takes_each_value_that_would_match(define: Any) -> None:
    """Also as text, and a number of a text field, as the stores do."""
    wheres = [
        Where("size", include=["1", 2, 3.0]),
        Where("ratio", include=["1.5", 2]),
        Where("is_robot", exclude=["true", False]),
        Where("timestamp", include=["2016-12-18", datetime(2016, 12, 18, tzinfo=UTC)]),
        Where("item", include=["a", 5]),
    ]
    metrics = {f"n{number}": Count(where=where) for number, where in enumerate(wheres)}
    assert define(metrics=metrics).config.metrics == metrics


def test_A004_42_an_interval_of_all_time_fits_into_any_index(define: Any) -> None:
    """Rows without an end are not cut into indices by time."""
    assert define(aggregation_interval="all", index_interval="day").config.event == "thing"


def test_a_dimension_may_be_copied_under_its_own_name(define: Any) -> None:
    """It is no second field."""
    assert define(copy_fields={"item": "item"}).template.types["item"] == "keyword"


def test_a_template_leaves_the_place_of_a_sketch_free(
    registries: MakeRegistries, templates: str
) -> None:
    """A sketch has thousands of bytes, which an indexed field could not hold."""
    body = {"template": {"mappings": {"properties": {"v_sketch": {"type": "keyword"}}}}}
    (Path(templates) / "stats-thing.json").write_text(json.dumps(body))
    config = {"event": "thing", "aggregation_field": "item", "metrics": {"v": Unique("item")}}
    defined = registries(
        STATS_EVENTS={"thing": {"templates": templates}},
        STATS_AGGREGATIONS={"thing-agg": {"templates": templates, "aggregator_config": config}},
    ).aggregation("thing-agg")
    with pytest.raises(DefinitionError, match=r"'v_sketch' the type keyword.*leave that field out"):
        _ = defined.template


class HostsAggregator(StatAggregator):
    """A host's own aggregator class."""


def test_A004_37_an_aggregation_may_have_a_class_and_a_template_of_its_own(
    registries: MakeRegistries, templates: str
) -> None:
    """What its template says of a row's field holds; what it leaves out is added."""
    properties = {"volume": {"type": "float"}}
    body = {"template": {"mappings": {"properties": properties}, "settings": {"a": 1}}}
    (Path(templates) / "stats-thing.json").write_text(json.dumps(body))
    config = {"event": "thing", "aggregation_field": "item", "metrics": {"volume": Sum("size")}}
    definition = registries(
        STATS_EVENTS={"thing": {"templates": templates}},
        STATS_AGGREGATIONS={
            "thing-agg": {
                "templates": templates,
                "aggregator_class": HostsAggregator,
                "aggregator_config": config,
            }
        },
    ).aggregation("thing-agg")
    assert definition.aggregator_class is HostsAggregator
    types = definition.template.types
    assert (types["volume"], types["item"], types["count"]) == ("float", "keyword", "long")
    assert definition.template.body["template"]["settings"] == {"a": 1}


def test_an_aggregation_that_nobody_registered_is_named_with_the_nearest(
    registries: MakeRegistries,
) -> None:
    """As for event types and queries."""
    with pytest.raises(UnknownAggregation, match=r"'file-download'; did you mean 'file-download-a"):
        registries().aggregation("file-download")


@pytest.mark.parametrize(
    ("salt_window", "interval", "zone", "is_allowed"),
    [
        ("day", "day", "UTC", True),
        ("day", "hour", "Europe/Zurich", True),
        ("day", "hour", "Asia/Kolkata", False),
        ("day", "day", "Europe/Zurich", False),
        ("day", "month", "UTC", False),
        ("week", "month", "UTC", False),
        ("quarter", "month", "UTC", True),
        ("month", "all", "UTC", False),
        ("forever", "all", "Europe/Zurich", True),
    ],
)
def test_D10_W15_visitors_are_counted_only_where_one_visitor_keeps_one_id(
    registries: MakeRegistries, salt_window: str, interval: str, zone: str, is_allowed: bool
) -> None:
    """Beyond a salt window a person would count once for each id: refused, with the way out."""
    events = {"file-download": {"processor_config": {"salt_window": salt_window}}}
    config = {
        "event": "file-download",
        "aggregation_field": "unique_id",
        "aggregation_interval": interval,
        "index_interval": "year",
        "time_zone": zone,
        "metrics": {"visitors": ("unique", "visitor_id")},
    }
    settings = {
        "STATS_EVENTS": events,
        "STATS_AGGREGATIONS": {"x-agg": {"aggregator_config": config}},
    }
    definition = registries(**settings).aggregation("x-agg")
    if is_allowed:
        assert definition.config.aggregation_interval == interval
    else:
        with pytest.raises(DefinitionError, match="longer salt_window, or count 'unique_session"):
            _ = definition.config


def test_counters_are_what_counts_events(define: Any) -> None:
    """Each `Count` in its order, else all events of the row."""
    assert define(metrics={"sizes": Sum("size")}).counters == ("count",)
    metrics = {"b": Count(), "sizes": Sum("size"), "a": Count()}
    assert define(metrics=metrics).counters == ("b", "a")
