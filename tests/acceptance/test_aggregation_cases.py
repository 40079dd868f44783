"""Cases of storing and aggregating that reach through the whole chain, on both stores."""

import pytest
from elasticsearch import Elasticsearch
from flask import Flask

from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import DefinitionError
from stats_pipeline.model import Event
from stats_pipeline.permissions import allow_everyone
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.queries import TotalsQuery
from stats_pipeline.tasks import update_aggregations
from tests.acceptance.conftest import Make
from tests.acceptance.downloads import (
    AGGREGATION,
    count_by_day,
    download,
    downloads,
    row_documents,
    take,
    update,
)
from tests.aggregations.host import NOON
from tests.support import Backend, MakeApp, MakePipeline, pipeline_of, stored_events

BY_FILE = {"event": "file-download", "aggregation_field": "unique_id"}


def test_A004_30_times_are_cut_to_milliseconds_and_the_latest_of_a_window_is_kept(
    pipeline: Pipeline,
) -> None:
    """D21, D23: milliseconds and not whole seconds; the latest and not the last processed."""
    take(pipeline, [download("2016-12-18T10:00:09.123987Z", event_id="later")])
    take(pipeline, [download("2016-12-18T10:00:09.122999Z", event_id="earlier")])
    (event,) = stored_events(pipeline)
    assert (event["event_id"], event["timestamp"]) == ("later", "2016-12-18T10:00:09.123Z")


def test_A004_41_rows_of_all_indices_are_readable_under_one_alias(
    pipeline: Pipeline, index_prefix: str
) -> None:
    """`stats-file-download` shows the rows of both months."""
    take(pipeline, downloads("2016-12-30", "2017-01-02"))
    update(pipeline)
    alias = f"{index_prefix}stats-file-download"
    assert pipeline.registries.aggregation(AGGREGATION).alias == alias
    assert [row.index for row in row_documents(pipeline)] == [
        f"{alias}-2016-12",
        f"{alias}-2016-12",
        f"{alias}-2017-01",
        f"{alias}-2017-01",
    ]


def test_A004_41_the_alias_is_one_that_any_client_of_elasticsearch_can_read(
    distributed: Backend, make_pipeline: MakePipeline, index_prefix: str
) -> None:
    """Also that of the events, `events-stats-file-download` (A004-34)."""
    pipeline = make_pipeline(distributed)
    take(pipeline, downloads("2016-12-30", "2017-01-02", per_day=2))
    update(pipeline)
    with Elasticsearch(distributed.store_url) as api:
        rows = api.search(index=f"{index_prefix}stats-file-download")["hits"]["hits"]
        events = api.count(index=f"{index_prefix}events-stats-file-download")["count"]
    assert [hit["_source"]["count"] for hit in rows] == [2, 2, 2, 2]
    assert events == 8


def test_A004_45_an_update_begins_at_the_oldest_event_and_does_nothing_without_one(
    make: Make,
) -> None:
    """D20: the first run needs no bookmark, an incomplete day is counted again."""
    pipeline = make(clock=ManualClock(NOON))
    assert update(pipeline) == {}
    assert row_documents(pipeline) == []
    take(pipeline, [download("2001-02-03T10:00:00Z"), download("2017-01-20T10:00:00Z")])
    assert update(pipeline) == {"created": 2, "intervals": 2}
    take(pipeline, [download("2017-01-20T11:00:00Z")])
    assert update(pipeline) == {"updated": 1, "intervals": 1}
    assert count_by_day(pipeline) == {"2001-02-03": 1, "2017-01-20": 2}
    assert update(pipeline) == {}


@pytest.fixture
def app(backend: Backend, make_app: MakeApp) -> Flask:
    """Give a host's app with an aggregation that fails, and one beside those that are shipped."""

    def fail(event: Event) -> str:
        raise ZeroDivisionError(f"a bug in the host's code, met by {event['unique_id']}")

    failing = {**BY_FILE, "copy_fields": {"label": fail}}
    aggregations = {
        "failing-agg": {"aggregator_config": failing},
        "other-agg": {"aggregator_config": BY_FILE},
    }
    return make_app(backend.store_url, backend.broker_url, STATS_AGGREGATIONS=aggregations)


def test_A004_48_a_failing_aggregation_stops_no_other_and_each_is_reported(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """The task runs those that are named to it, in that order; what failed is left to do."""
    take(pipeline_of(app), downloads("2017-01-01", "2017-01-02"))
    with app.app_context():
        report = update_aggregations(["other-agg", "failing-agg", AGGREGATION])
    assert report["is_complete"] is False
    results = report["aggregations"]
    assert list(results) == ["other-agg", "failing-agg", AGGREGATION]
    assert "a bug in the host's code, met by 20_f-1" in results["failing-agg"]["error"]
    assert results["failing-agg"]["pending"] == [
        "2017-01-01T00:00:00.000Z",
        "2017-01-02T00:00:00.000Z",
    ]
    for name in (AGGREGATION, "other-agg"):
        assert (results[name]["created"], results[name]["error"]) == (2, "")
    assert "failing-agg" in caplog.text


#: Those of the nine metrics that the peer allows which ours don't know by that name.
FOREIGN_METRICS = ["avg", "cardinality", "extended_stats", "geo_centroid", "percentiles", "stats"]


@pytest.mark.parametrize("kind", FOREIGN_METRICS)
def test_W5_a_metric_that_can_not_be_computed_is_refused_when_the_app_is_set_up(
    kind: str, make_app: MakeApp
) -> None:
    """By its name, and with those that can: none is accepted at first and crashes later."""
    config = {**BY_FILE, "metrics": {"x": (kind, "size")}}
    known = "count, first, last, max, mean, min, sum, unique"
    with pytest.raises(DefinitionError, match=rf"'x-agg'.*\('{kind}', 'size'\) is not .*{known}"):
        make_app("sqlite://", STATS_AGGREGATIONS={"x-agg": {"aggregator_config": config}})


@pytest.mark.parametrize("kind", ["stats", "extended_stats", "percentiles", "geo_centroid"])
def test_W5_a_metric_field_of_a_query_is_refused_when_the_app_is_set_up(
    kind: str, make_app: MakeApp
) -> None:
    """As for aggregations."""
    config = {"index": "stats-file-download", "metric_fields": {"x": (kind, "volume")}}
    query = {"query_class": TotalsQuery, "query_config": config, "permission": allow_everyone}
    with pytest.raises(DefinitionError, match=rf"'x'.*unknown kind '{kind}'.*max, mean, min, sum"):
        make_app("sqlite://", STATS_QUERIES={"sizes": query})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("unique", 2), ("mean", 3_000.0), ("min", 1_000), ("max", 6_000), ("sum", 9_000)],
)
def test_W5_each_metric_that_is_accepted_is_computed(
    make: Make, kind: str, expected: float
) -> None:
    """What the definition takes, the store can do and the query can answer: the largest of it.

    Of one file there are three downloads by two visitors, of the other one a small one.
    """
    field = "visitor_id" if kind == "unique" else "size"
    config = {**BY_FILE, "metrics": {"x": (kind, field)}}
    totals = {"aggregation": "x-agg", "metric_fields": {"x": ("max", "x")}}
    query = {"query_class": TotalsQuery, "query_config": totals, "permission": allow_everyone}
    pipeline = make(
        STATS_AGGREGATIONS={"x-agg": {"aggregator_config": config}}, STATS_QUERIES={"totals": query}
    )
    take(
        pipeline,
        [
            download("2017-01-01T10:00:00Z", size=1_000),
            download("2017-01-01T11:00:00Z", size=6_000, user_id="u2"),
            download("2017-01-01T12:00:00Z", size=2_000),
            download("2017-01-01T13:00:00Z", "f-2", size=500),
        ],
    )
    assert pipeline.update(["x-agg"]).is_complete
    answer = pipeline.query("totals")
    assert (answer["x"], answer["value"]) == (expected, 4.0)
