"""Unique counts and their sketches in rows, from events to answers, on both stores."""

from collections.abc import Mapping
from typing import Any

import pytest

from stats_pipeline.errors import InvalidParameter, QueryError
from stats_pipeline.model import Event, Filter
from stats_pipeline.permissions import allow_everyone
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.queries import DateHistogramQuery, TermsQuery, TotalsQuery
from stats_pipeline.sketches import BOUND
from stats_pipeline.stores.protocol import Put
from tests.aggregations.conftest import Make
from tests.aggregations.host import rows, take, update, visits

UNIQUE: dict[str, Any] = {"metrics": {"visitors": ("unique", "visitor_id")}}
HOURLY = {**UNIQUE, "aggregation_interval": "hour"}
ANONYMOUS = {"preprocessors": ["stats_pipeline.events.preprocessors:anonymize_user"]}
APPROXIMATE = {"value": {"bound": BOUND}}


def visited(*visitors: tuple[str, str, str]) -> list[Event]:
    """Return visits of (time, page, visitor)."""
    return [event for time, page, who in visitors for event in visits((time, page), visitor_id=who)]


def with_queries(make: Make, **options: Any) -> Pipeline:
    """Return a pipeline with one query of each kind, whose value is the number of visitors."""

    def query(query_class: type[Any], **config: Any) -> dict[str, Any]:
        metrics = {"value": ("unique", "visitors")}
        config = {"aggregation": "pages-agg", "metric_fields": metrics, **config}
        return {"query_class": query_class, "query_config": config, "permission": allow_everyone}

    queries = {
        "histogram": query(DateHistogramQuery, optional_filters={"page": "page"}),
        "terms": query(TermsQuery, aggregated_fields=["page"]),
        "total": query(TotalsQuery),
    }
    return make(queries=queries, **options)


def values(answer: Mapping[str, Any]) -> dict[str, float]:
    """Return bucket -> value, dates by their day."""
    return {
        bucket.get("date", bucket["key"]).removesuffix("T00:00:00.000Z"): bucket["value"]
        for bucket in answer["buckets"]
    }


def test_rows_of_hours_are_asked_by_day_and_week(make: Make) -> None:
    """E003 in small: who came in several hours, days or to several pages is one visitor."""
    pipeline = with_queries(make, aggregations={"pages-agg": HOURLY})
    take(
        pipeline,
        visited(
            ("2017-01-09T10:00:00Z", "a", "alice"),
            ("2017-01-09T11:00:00Z", "a", "alice"),
            ("2017-01-09T11:10:00Z", "b", "bob"),
            ("2017-01-10T10:00:00Z", "a", "alice"),
            ("2017-01-10T10:00:00Z", "a", "carol"),
            ("2017-01-16T10:00:00Z", "a", "alice"),
        ),
    )
    update(pipeline)
    by_hour = pipeline.query("histogram", interval="hour", page="a", end_date="2017-01-09")
    assert list(values(by_hour).values()) == [1, 1]
    assert "approximate" not in by_hour
    by_day = pipeline.query("histogram", end_date="2017-01-10")
    assert values(by_day) == {"2017-01-09": 2, "2017-01-10": 2}
    assert by_day["approximate"] == APPROXIMATE
    by_week = pipeline.query("histogram", interval="week")
    assert values(by_week) == {"2017-01-09": 3, "2017-01-16": 1}
    assert pipeline.query("total")["value"] == 3
    assert values(pipeline.query("terms")) == {"a": 2, "b": 1}


def test_an_update_with_nothing_new_writes_no_sketch(make: Make) -> None:
    """The same visitors in another order give the same row; a new one changes it."""
    pipeline = make(aggregations={"pages-agg": UNIQUE})
    some = visited(*(("2017-01-09T10:00:00Z", "a", f"v{number}") for number in range(300)))
    take(pipeline, [{**event, "event_id": f"e{n}"} for n, event in enumerate(some)])
    assert update(pipeline) == {"created": 1}
    before = rows(pipeline)
    withdrawal = {"revision": 1, "withdrawn": True}
    take(pipeline, [{**event, "event_id": f"e{n}", **withdrawal} for n, event in enumerate(some)])
    # Other events of the same visitors, the last one first.
    take(pipeline, some[::-1])
    assert update(pipeline) == {"unchanged": 1}
    assert rows(pipeline) == before
    take(pipeline, visited(("2017-01-09T10:00:00Z", "a", "new")))
    assert update(pipeline) == {"updated": 1}
    assert rows(pipeline)[0]["visitors"] == 301
    assert rows(pipeline)[0]["visitors_sketch"] != before[0]["visitors_sketch"]


def test_an_event_that_nobody_made_leaves_a_row_without_a_sketch(make: Make) -> None:
    """No visitor is no sketch; such a row adds nothing to the others."""
    pipeline = with_queries(make, aggregations={"pages-agg": UNIQUE})
    take(pipeline, visits(("2017-01-09T10:00:00Z", "a")))
    take(pipeline, visited(("2017-01-10T10:00:00Z", "a", "alice")))
    update(pipeline)
    assert [(row["visitors"], "visitors_sketch" in row) for row in rows(pipeline)] == [
        (0, False),
        (1, True),
    ]
    assert pipeline.query("total")["value"] == 1


def test_rows_without_sketches_get_them_by_a_reset(make: Make) -> None:
    """Rows of a version without sketches are refused where they would be merged, until then."""
    pipeline = with_queries(make, aggregations={"pages-agg": UNIQUE})
    take(
        pipeline,
        visited(("2017-01-09T10:00:00Z", "a", "alice"), ("2017-01-10T10:00:00Z", "a", "alice")),
    )
    update(pipeline)
    _forget_sketches(pipeline)
    assert values(pipeline.query("histogram")) == {"2017-01-09": 1, "2017-01-10": 1}
    with pytest.raises(QueryError, match="stats reset pages-agg"):
        pipeline.query("total")
    pipeline.reset(["pages-agg"])
    assert pipeline.query("total")["value"] == 1


def test_D10_visitors_are_counted_within_one_salt_window(make: Make) -> None:
    """With a salt per month: rows of days by month, not by year, where one would be two."""
    pipeline = with_queries(
        make, aggregations={"pages-agg": UNIQUE}, salt_window="month", **ANONYMOUS
    )
    take(
        pipeline,
        visits(
            ("2016-12-18T10:00:00Z", "a"),
            ("2016-12-19T10:00:00Z", "b"),
            ("2017-01-09T10:00:00Z", "a"),
            user_id="alice",
        ),
    )
    update(pipeline)
    by_month = pipeline.query("histogram", interval="month")
    assert values(by_month) == {"2016-12-01": 1, "2017-01-01": 1}
    with pytest.raises(InvalidParameter, match="intervals: day, month"):
        pipeline.query("histogram", interval="year")
    with pytest.raises(InvalidParameter, match="within one month"):
        pipeline.query("total")
    assert pipeline.query("total", start_date="2016-12-01", end_date="2016-12-31")["value"] == 1
    assert "alice" not in str(rows(pipeline))


def test_D10_a_salt_for_ever_counts_visitors_over_any_range(make: Make) -> None:
    """Nothing is refused where an id never changes."""
    pipeline = with_queries(
        make, aggregations={"pages-agg": UNIQUE}, salt_window="forever", **ANONYMOUS
    )
    take(
        pipeline,
        visits(("2016-12-18T10:00:00Z", "a"), ("2017-01-09T10:00:00Z", "a"), user_id="alice"),
    )
    update(pipeline)
    assert pipeline.query("total")["value"] == 1
    assert set(values(pipeline.query("histogram", interval="year")).values()) == {1}


def test_D10_sessions_are_counted_beyond_the_salt_window(make: Make) -> None:
    """The id of a session has its hour in it: none is ever met again under another salt."""
    sessions = {"metrics": {"visitors": ("unique", "unique_session_id")}}
    pipeline = with_queries(make, aggregations={"pages-agg": sessions}, **ANONYMOUS)
    take(
        pipeline,
        visits(
            ("2017-01-09T10:00:00Z", "a"),
            ("2017-01-09T10:30:00Z", "b"),
            ("2017-01-10T10:00:00Z", "a"),
            user_id="alice",
        ),
    )
    update(pipeline)
    assert pipeline.query("total")["value"] == 2


def _forget_sketches(pipeline: Pipeline) -> None:
    alias = pipeline.registries.aggregation("pages-agg").alias
    with pipeline.store.snapshot([alias]) as snapshot:
        found = list(snapshot.scan(Filter(), ["timestamp"]))
    bodies = [{k: v for k, v in row.body.items() if k != "visitors_sketch"} for row in found]
    pipeline.store.bulk(
        [Put(row.index, row.id, body) for row, body in zip(found, bodies, strict=True)]
    )
    pipeline.store.refresh([alias])
