"""What the host's own configuration names is looked at when the app is set up."""

from typing import Any

import pytest
from flask import Flask

from stats_pipeline import StatsPipeline
from stats_pipeline.errors import StatsError
from stats_pipeline.permissions import allow_everyone
from tests.support import pipeline_of

DOWNLOADS = "file-download"
ROWS = "file-download-agg"
TOTAL = "bucket-file-download-total"


def start(**settings: Any) -> Flask:
    """Set up an app with these settings."""
    app = Flask("host")
    app.config.update({"STATS_EVENTS": {DOWNLOADS: {}}, **settings})
    StatsPipeline(app)
    pipeline_of(app).close()
    return app


def refusal(**settings: Any) -> str:
    """Set up an app with settings that are wrong; return what is said."""
    with pytest.raises(StatsError) as caught:
        start(**settings)
    return str(caught.value)


def of_rows(**config: Any) -> dict[str, Any]:
    """Return a complete query of the host on rows of downloads."""
    return {
        "query_class": "stats_pipeline:TermsQuery",
        "query_config": {"aggregation": ROWS, **config},
        "permission": allow_everyone,
    }


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"templates": "shop.nowhere"}, "templates='shop.nowhere' is neither a folder nor"),
        ({"templates": "stats_pipeline"}, "stats_pipeline holds none of file-download.json"),
        ({"processor_class": "shop:Indexer"}, "'shop:Indexer' can't be imported"),
        ({"processor_class": "math:pi"}, "processor_class='math:pi' can't be called"),
        ({"processor_class": dict}, "processor_class=<class 'dict'> has no method 'index'"),
        ({"processor_config": {"preprocessors": ["shop.clean"]}}, "'shop.clean' can't be"),
        ({"signal": "shop.sold"}, "'shop.sold' can't be imported"),
        ({"event_builders": ["shop.build"]}, "'shop.build' can't be imported"),
    ],
)
def test_A004_07_what_an_event_type_is_given_by_path_is_there(
    keys: dict[str, Any], message: str
) -> None:
    """Event type, owner, path and cause are named, before a worker needs it."""
    said = refusal(STATS_EVENTS={DOWNLOADS: keys})
    assert said.startswith("event type 'file-download' of stats_pipeline")
    assert message in said


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"templates": "shop.nowhere"}, "templates='shop.nowhere' is neither a folder nor"),
        ({"aggregator_class": "shop:Counter"}, "'shop:Counter' can't be imported"),
        ({"aggregator_class": 5}, "aggregator_class=5 can't be called"),
        ({"aggregator_class": "builtins:dict"}, "='builtins:dict' has no method 'rows'"),
        ({"aggregator_config": {"query_modifiers": ["shop:cut"]}}, "'shop:cut' can't be imported"),
        ({"aggregator_config": {"copy_fields": {"key": "file_kye"}}}, "mean 'file_key'?"),
        ({"aggregator_config": {"aggregation_field": "unqiue_id"}}, "did you mean 'unique_id'?"),
        ({"aggregator_config": {"event": "file-downlod"}}, "did you mean 'file-download'?"),
    ],
)
def test_A004_07_what_an_aggregation_is_given_is_there(keys: dict[str, Any], message: str) -> None:
    """Paths, and the names of fields and event types."""
    said = refusal(STATS_AGGREGATIONS={ROWS: keys})
    assert said.startswith("aggregation 'file-download-agg' of stats_p")
    assert message in said


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"permission": "shop:may"}, "'shop:may' can't be imported"),
        ({"permission": 5}, "permission=5 can't be called"),
        ({"query_class": "shop:Total"}, "'shop:Total' can't be imported"),
        ({"query_class": "math:pi"}, "query_class='math:pi' can't be called"),
        ({"query_class": "builtins:dict"}, "query_class='builtins:dict' has no method 'run'"),
        ({"query_config": {"aggregation": "file-downlod-agg"}}, "mean 'file-download-agg'?"),
        ({"query_config": {"aggregated_fields": ["file_kye"]}}, "nested by 'file_kye'; did you"),
        ({"query_config": {"required_filters": {"b": "bukket_id"}}}, "did you mean 'bucket_id'?"),
        ({"query_config": {"optional_filters": {"b": "bukket_id"}}}, "did you mean 'bucket_id'?"),
        ({"query_config": {"copy_fields": {"b": "bukket_id"}}}, "did you mean 'bucket_id'?"),
        ({"query_config": {"metric_fields": {"v": ("sum", "volum")}}}, "did you mean 'volume'?"),
    ],
)
def test_A004_07_what_a_query_is_given_is_there(keys: dict[str, Any], message: str) -> None:
    """Paths, and the names of aggregations and of the fields of their rows."""
    said = refusal(STATS_QUERIES={TOTAL: keys})
    assert said.startswith("query 'bucket-file-download-total'")
    assert message in said


@pytest.mark.parametrize("setting", ["STATS_EVENTS", "STATS_AGGREGATIONS", "STATS_QUERIES"])
def test_replaces_is_true_or_false(setting: str) -> None:
    """A text such as "no" would be true."""
    name = {"STATS_EVENTS": DOWNLOADS, "STATS_AGGREGATIONS": ROWS, "STATS_QUERIES": TOTAL}[setting]
    assert f"{name!r} must be True or False, not 'no'" in refusal(
        **{setting: {name: {"replaces": "no"}}}
    )


def test_a_description_is_text() -> None:
    """Every list of queries shows it."""
    said = refusal(STATS_QUERIES={TOTAL: {"description": 5}})
    assert said.startswith("the host's STATS_QUERIES: description of query 'bucket-file-download-")
    assert said.endswith("must be text, not 5")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (of_rows(aggregation="my-agg"), "query 'mine': Unknown aggregation 'my-agg'"),
        (of_rows(aggregated_fields=["file_kye"]), "did you mean 'file_key'?"),
    ],
)
def test_a_query_of_the_host_itself_is_compared_with_the_rows(
    query: dict[str, Any], message: str
) -> None:
    """As an override of a registered one is."""
    assert message in refusal(STATS_QUERIES={"mine": query})


@pytest.mark.parametrize(
    ("setting", "entry", "message"),
    [
        (
            "STATS_AGGREGATIONS",
            {"aggregator_config": {"evnt": DOWNLOADS, "aggregation_field": "unique_id"}},
            "STATS_AGGREGATIONS['mine']: unknown key 'evnt' in aggregator_config; did you mean 'e",
        ),
        (
            "STATS_AGGREGATIONS",
            {"aggregator_config": {"field": "unique_id"}},
            "unknown key 'field' in aggregator_config; did you mean 'aggregation_field'?",
        ),
        (
            "STATS_EVENTS",
            {"processor_config": {"preprocesors": []}},
            "STATS_EVENTS['mine']: unknown key 'preprocesors' in processor_config; did you mean 'p",
        ),
        ("STATS_QUERIES", {"query_clas": "x"}, "'query_clas' in query 'mine'; did you mean 'query"),
        ("STATS_EVENTS", {}, "which nobody registered; one of your own needs 'templates'"),
        (
            "STATS_AGGREGATIONS",
            {"aggregator_config": {"aggregation_field": "unique_id"}},
            "which nobody registered; one of your own needs 'event' in aggregator_config",
        ),
        ("STATS_QUERIES", {}, "which nobody registered; one of your own needs 'query_class'"),
    ],
)
def test_a_slip_in_a_registration_is_named_before_it_is_called_unregistered(
    setting: str, entry: dict[str, Any], message: str
) -> None:
    """The name is right, a key is not; where it is neither, what is missing is said."""
    assert message in refusal(**{setting: {"mine": entry}})


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ("shop.nowhere:who", "STATS_IDENTITY: 'shop.nowhere:who' can't be imported"),
        (5, "STATS_IDENTITY=5 can't be called; give a function without arguments"),
        ("math:pi", "STATS_IDENTITY='math:pi' can't be called"),
    ],
)
def test_who_says_who_calls_is_there(identity: object, message: str) -> None:
    """Else each refused query would be a 500, from within the answer to the error."""
    assert message in refusal(STATS_IDENTITY=identity)


def test_what_is_right_is_accepted() -> None:
    """Overrides and complete registrations of all three kinds."""
    start(
        STATS_IDENTITY="stats_pipeline.permissions:current_identity",
        STATS_EVENTS={DOWNLOADS: {"templates": "stats_pipeline.es_templates.file_download"}},
        STATS_AGGREGATIONS={
            ROWS: {"aggregator_config": {"index_interval": "year"}},
            "mine-agg": {
                "aggregator_config": {"event": DOWNLOADS, "aggregation_field": "bucket_id"}
            },
        },
        STATS_QUERIES={
            TOTAL: {"query_config": {"aggregated_fields": ["file_id"]}},
            "mine": of_rows(aggregation="mine-agg", aggregated_fields=["bucket_id"]),
        },
    )
