"""The peer's cases of its command line, as an operator types them, on both stores and queues."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from stats_pipeline.cli import stats
from stats_pipeline.permissions import allow_everyone
from stats_pipeline.stores.protocol import Delete
from tests.acceptance.downloads import AGGREGATION, count_by_day, downloads, row_documents
from tests.registry.conftest import Register
from tests.support import BROWSER, Backend, MakeApp, pipeline_of, stored_documents

Run = Callable[..., Any]


@pytest.fixture
def app(backend: Backend, make_app: MakeApp) -> Flask:
    """Give a host's app that counts downloads and views."""
    events: dict[str, Any] = {"file-download": {}, "record-view": {}}
    return make_app(backend.store_url, backend.broker_url, STATS_EVENTS=events)


@pytest.fixture
def run(app: Flask) -> Run:
    """Give a function that runs `flask stats` with --json and returns what it prints."""

    def run_and_read(*arguments: str) -> Any:
        result = invoke(app, *arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return run_and_read


def invoke(app: Flask, *arguments: str) -> Result:
    """Run `flask stats` with these arguments."""
    return app.test_cli_runner().invoke(stats, arguments)


def publish(app: Flask, month: str, days: Sequence[int]) -> None:
    """Publish a download and a view on each of these days."""
    view = {"record_id": "r-1", "pid_type": "recid", "pid_value": "1", "user_agent": BROWSER}
    for day in days:
        time = f"{month}-{day:02d}"
        pipeline_of(app).publish("file-download", downloads(time, time))
        pipeline_of(app).publish("record-view", [{**view, "timestamp": time, "user_id": "u1"}])


def test_B21_an_unknown_event_type_is_named_and_ends_with_2(app: Flask) -> None:
    """Nothing is processed, also not of the types that are known."""
    publish(app, "2017-01", [1])
    result = invoke(app, "events", "process", "file-download", "file-downlod")
    assert result.exit_code == 2
    assert "Invalid event type(s): file-downlod; did you mean 'file-download'" in result.stderr
    assert stored_documents(pipeline_of(app)) == []


def test_B22_event_types_are_processed_one_by_one_or_all_together(app: Flask, run: Run) -> None:
    """Downloads of January, then views, then one of each of February."""
    publish(app, "2017-01", [1, 2, 3])
    pipeline = pipeline_of(app)
    views = pipeline.registries.event_type("record-view").alias

    def months(event_type: str) -> list[str]:
        return [document.index[-7:] for document in stored_documents(pipeline, event_type)]

    assert run("events", "process", "file-download")["indexed"] == 3
    assert months("file-download") == ["2017-01"] * 3
    assert pipeline.store.index_uuids([f"{views}-2017-01"]) == {}
    assert run("events", "process", "record-view")["indexed"] == 3
    assert months("record-view") == ["2017-01"] * 3
    publish(app, "2017-02", [1])
    processed = run("events", "process")["types"]
    assert {name: report["indexed"] for name, report in processed.items()} == {
        "file-download": 1,
        "record-view": 1,
    }
    for event_type in ("file-download", "record-view"):
        assert months(event_type) == ["2017-01"] * 3 + ["2017-02"]


def test_B23_a_range_makes_its_rows_once_and_the_rest_follows(app: Flask, run: Run) -> None:
    """D20: without bookmarks 10 rows, the same 10 again, and all 46 in two monthly indices."""
    pipeline = pipeline_of(app)
    pipeline.publish("file-download", downloads("2018-01-01", "2018-02-15"))
    run("events", "process")
    days = ("--start", "2018-01-01", "--end", "2018-01-10")
    assert created(run("update", AGGREGATION, *days)) == 10
    assert created(run("update", AGGREGATION, *days)) == 0
    assert len(row_documents(pipeline)) == 10
    assert created(run("update", AGGREGATION)) == 36
    months = [row.index[-7:] for row in row_documents(pipeline)]
    assert (months.count("2018-01"), months.count("2018-02"), len(months)) == (31, 15, 46)


def test_B24_W2_a_reset_brings_back_the_rows_of_a_range_and_of_all_time(
    app: Flask, run: Run
) -> None:
    """D23: a range is not deleted but recomputed; what somebody deleted, 10 rows or all, is back.

    The peer's explicit run of a range does nothing; its run after a deletion leaves nothing.
    """
    pipeline = pipeline_of(app)
    pipeline.publish("file-download", downloads("2018-01-01", "2018-01-31"))
    run("events", "process")
    run("update", AGGREGATION)
    complete = count_by_day(pipeline)
    assert len(complete) == 31

    delete_rows(app, last_day="2018-01-10")
    assert len(row_documents(pipeline)) == 21
    report = run("reset", AGGREGATION, "--start", "2018-01-01", "--end", "2018-01-10")
    assert created(report) == 10
    assert count_by_day(pipeline) == complete

    delete_rows(app, last_day="2018-01-31")
    assert row_documents(pipeline) == []
    run("reset", AGGREGATION)
    assert count_by_day(pipeline) == complete


def test_B25_the_status_says_how_far_each_aggregation_is(app: Flask, run: Run) -> None:
    """D20: instead of a list of bookmarks, the time of the last update and what is left to do."""
    pipeline_of(app).publish("file-download", downloads("2018-01-01", "2018-01-31"))
    run("events", "process")
    before = run("status")["aggregations"][AGGREGATION]
    assert before == {"dirty_intervals": 31, "as_of": None}
    started = run("update", AGGREGATION)["started_at"]
    after = run("status")["aggregations"][AGGREGATION]
    assert (after["dirty_intervals"], after["as_of"][:16]) == (0, started[:16])
    assert after["as_of"] in invoke(app, "status").stdout


def test_the_list_has_everything_that_is_registered_with_its_owner(
    register: Register, make_app: MakeApp, embedded: Backend
) -> None:
    """Ours, a package's, what one package took from another, and the host's own configuration."""
    register("shop", events=[{"event_type": "sale"}], queries=[query("sales"), query("best")])
    register("market", queries=[query("sales", replaces=True)])
    register("zoo", aggregations=[{"aggregation_name": "file-download-agg"}])
    rows = {"query_config": {"index": "stats-mine"}}
    # A path of the host's is looked at.
    mine = query("mine", query_class="stats_pipeline:TotalsQuery", **rows)
    app = make_app(embedded.store_url, STATS_QUERIES={"mine": mine, "best": {}})
    listed = json.loads(invoke(app, "list", "--json").stdout)
    owners = {(entry["kind"], entry["name"]): entry["owner"] for entry in listed}
    assert len(owners) == len(listed)
    expected = {
        ("event type", "access-log"): "stats_pipeline",
        ("event type", "file-download"): "stats_pipeline",
        ("event type", "record-view"): "stats_pipeline",
        ("event type", "sale"): "shop",
        ("aggregation", "access-log-agg"): "stats_pipeline",
        ("aggregation", "file-download-agg"): "zoo",
        ("aggregation", "record-view-agg"): "stats_pipeline",
        ("query", "access-log-histogram"): "stats_pipeline",
        ("query", "access-log-terms"): "stats_pipeline",
        ("query", "bucket-file-download-histogram"): "stats_pipeline",
        ("query", "bucket-file-download-total"): "stats_pipeline",
        ("query", "record-view-histogram"): "stats_pipeline",
        ("query", "record-view-total"): "stats_pipeline",
        ("query", "sales"): "market",
        ("query", "best"): "shop",
        ("query", "mine"): "the host's STATS_QUERIES",
    }
    assert owners.items() >= expected.items()
    assert {owners[entry] for entry in owners.keys() - expected.keys()} == {"stats_pipeline"}
    active = {entry["name"] for entry in listed if entry["active"]}
    assert active == {"file-download"}
    text = invoke(app, "list").stdout
    assert all(name in text and owner in text for (_, name), owner in owners.items())


def query(name: str, **keys: Any) -> dict[str, Any]:
    """Return the registration of a query that nobody runs."""
    return {
        "query_name": name,
        "query_class": "shop.nowhere.Sales",
        "permission": allow_everyone,
        **keys,
    }


def created(report: dict[str, Any]) -> int:
    """Return how many rows of downloads a complete run has made."""
    assert report["is_complete"], report
    number: int = report["aggregations"][AGGREGATION]["created"]
    return number


def delete_rows(app: Flask, *, last_day: str) -> None:
    """Delete rows up to this day in the store itself, behind the back of the pipeline."""
    store, rows = pipeline_of(app).store, row_documents(pipeline_of(app))
    store.bulk([Delete(r.index, r.id) for r in rows if r.body["start"][:10] <= last_day])
    store.refresh([pipeline_of(app).registries.aggregation(AGGREGATION).alias])
