"""Cases of the three registries: independent, open to any package and checked at start."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from blinker import Namespace

from stats_pipeline import DateHistogramQuery, StatAggregator, TermsQuery, current_stats
from stats_pipeline.aggregations.aggregator import Row
from stats_pipeline.errors import StatsError
from stats_pipeline.intervals import Period
from stats_pipeline.model import Event
from stats_pipeline.permissions import allow_everyone
from stats_pipeline.stores.protocol import Snapshot
from tests.acceptance.downloads import downloads, take
from tests.registry.conftest import Register
from tests.support import ROBOT, Backend, MakeApp, MakePipeline, pipeline_of, stored_events

BY_FILE = {"event": "file-download", "aggregation_field": "unique_id"}


def add_door(event: Event, sender: object, *, door: Any, **_: Any) -> Event:
    """Say which door was opened, and how cold it is."""
    return event | {"door": door.name, "degrees": door.degrees}


class TenfoldAggregator(StatAggregator):
    """A host's own aggregator class: ten people go through a door each time."""

    def rows(self, events: Snapshot, period: Period) -> Iterator[Row]:
        """Yield the rows with ten times the count."""
        for row in super().rows(events, period):
            yield replace(row, body={**row.body, "count": 10 * row.body["count"]})


def test_A004_08_A004_11_A004_37_a_host_measures_what_it_likes_with_fields_of_its_own(
    register: Register, backend: Backend, make_app: MakeApp, tmp_path: Path
) -> None:
    """Doors and degrees, from the signal to the answers; nothing in our package knows of them."""
    properties = {"door": {"type": "keyword"}, "degrees": {"type": "double"}}
    (tmp_path / "door-opened.json").write_text(
        json.dumps({"template": {"mappings": {"properties": properties}}})
    )
    signal = Namespace().signal("door-opened")
    by_door = {"event": "door-opened", "aggregation_field": "door"}
    coldest = {"metrics": {"coldest": ("min", "degrees")}}
    register(
        "house",
        events=[
            {
                "event_type": "door-opened",
                "templates": str(tmp_path),
                "processor_config": {"preprocessors": []},
                "signal": signal,
                "event_builders": [add_door],
            }
        ],
        aggregations=[
            {
                "aggregation_name": "door-opened-agg",
                "aggregator_class": TenfoldAggregator,
                "aggregator_config": {**by_door, **coldest},
            }
        ],
        queries=[
            {
                "query_name": "doors",
                "query_class": TermsQuery,
                "query_config": {
                    "index": "stats-door-opened",
                    "aggregated_fields": ["door"],
                    "metric_fields": {"coldest": ("min", "coldest")},
                },
                "permission": allow_everyone,
            }
        ],
    )
    app = make_app(backend.store_url, backend.broker_url, STATS_EVENTS={"door-opened": {}})
    with app.app_context():
        for name, degrees in [("north", -3.5), ("north", 4.25), ("south", 12.0)]:
            signal.send(app, door=SimpleNamespace(name=name, degrees=degrees))
        assert current_stats.process_events().indexed == 3
        assert current_stats.update(["door-opened-agg"]).is_complete
    answer = app.test_client().post("/stats", json={"mine": {"stat": "doors"}}).get_json()
    assert [(b["key"], b["value"], b["coldest"]) for b in answer["mine"]["buckets"]] == [
        ("north", 20.0, -3.5),
        ("south", 10.0, 12.0),
    ]


def test_A004_22_W17_an_event_type_that_says_nothing_of_its_processing_is_indexed(
    backend: Backend, make_pipeline: MakePipeline, tmp_path: Path
) -> None:
    """The default indexer with its default preprocessors: they make no item, so nothing merges.

    A robot is flagged and not dropped; who names no agent is none.
    """
    properties = {"room": {"type": "keyword"}}
    (tmp_path / "entry.json").write_text(
        json.dumps({"template": {"mappings": {"properties": properties}}})
    )
    pipeline = make_pipeline(backend, STATS_EVENTS={"entry": {"templates": str(tmp_path)}})
    entry = {"timestamp": "2016-12-18T10:00:00Z", "room": "a", "user_id": "u1"}
    pipeline.publish("entry", [entry, entry, {**entry, "user_agent": ROBOT}])
    report = pipeline.process_events()
    assert (report.indexed, report.dropped, report.dead) == (3, 0, 0)
    stored = stored_events(pipeline, "entry")
    assert sorted(event["is_robot"] for event in stored) == [False, False, True]
    assert len({event["visitor_id"] for event in stored}) == 1
    assert not any("user_id" in event for event in stored)


def test_A004_47_A004_64_any_package_aggregates_any_event_as_often_as_it_likes(
    register: Register, backend: Backend, make_pipeline: MakePipeline
) -> None:
    """Two packages that register no event type count the downloads of a third in their own ways."""
    by_size = {**BY_FILE, "aggregation_field": "size", "aggregation_interval": "month"}
    register(
        "reports",
        aggregations=[
            {"aggregation_name": "by-size-agg", "aggregator_config": by_size},
            {"aggregation_name": "hourly", "aggregator_config": BY_FILE},
        ],
    )
    by_key = {**BY_FILE, "aggregation_field": ["bucket_id", "file_key"]}
    register("audit", aggregations=[{"aggregation_name": "audit", "aggregator_config": by_key}])
    pipeline = make_pipeline(backend)
    take(pipeline, downloads("2017-01-01", "2017-01-03", files=2))
    updated = pipeline.update().aggregations
    created = {name: report.created for name, report in updated.items() if report.created}
    assert created == {"by-size-agg": 1, "hourly": 6, "audit": 6, "file-download-agg": 6}


class OpenRatio:
    """Be a host's statistic: how many of the records in its database are open."""

    def __init__(self, name: str, *, database: str) -> None:
        self.name, self.database = name, database

    def run(self, kind: str) -> dict[str, Any]:
        """Ask the database."""
        question = "select avg(is_open) from records where kind = ?"
        with closing(sqlite3.connect(self.database)) as connection:
            ((ratio,),) = connection.execute(question, (kind,))
        return {"value": ratio}


def test_A004_62_A004_63_a_statistic_of_a_database_is_registered_and_asked_like_any_other(
    register: Register, backend: Backend, make_app: MakeApp, tmp_path: Path
) -> None:
    """By an entry point and by REST, where nobody registered or made active any event."""
    database = str(tmp_path / "records.db")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("create table records (kind text, is_open integer)")
        records = [("book", 1), ("book", 0), ("book", 1), ("book", 1), ("map", 0)]
        connection.executemany("insert into records values (?, ?)", records)
    ratio = {"query_class": OpenRatio, "query_config": {"database": database}}
    query = {"query_name": "open-ratio", **ratio, "permission": allow_everyone}
    register("archive", queries=[query])
    app = make_app(backend.store_url, backend.broker_url, STATS_EVENTS={})
    calls = {kind: {"stat": "open-ratio", "params": {"kind": kind}} for kind in ("book", "map")}
    answer = app.test_client().post("/stats", json=calls)
    assert answer.json == {
        "book": {"value": 0.75, "as_of": None},
        "map": {"value": 0.0, "as_of": None},
    }
    refused = app.test_client().post("/stats", json={"mine": {"stat": "open-ratio"}})
    assert (refused.status_code, refused.get_json(force=True)["parameter"]) == (400, "kind")


class Ratio:
    """Be a host's statistic of a database that may not be there yet when the app is set up."""

    def __init__(self, name: str, *, table: str, since: int = 0) -> None:
        raise ConnectionError(f"{name}: no database with {table} since {since}")

    def run(self) -> None:
        """Answer nothing."""


HISTOGRAM = {
    "query_class": DateHistogramQuery,
    "query_config": {"index": "stats-file-download"},
    "permission": allow_everyone,
}
RATIO = {"query_class": Ratio, "permission": allow_everyone}


@pytest.mark.parametrize(
    ("setting", "name", "keys", "message"),
    [
        ("EVENTS", "file-download", {"signl": "x"}, "'signl' in event .* mean 'signal'"),
        (
            "EVENTS",
            "file-download",
            {"processor_config": {"double_clik_window": 30}},
            "'file-download' of stats_pipeline: .*'double_clik_window' .* 'double_click_window'",
        ),
        ("AGGREGATIONS", "file-download-agg", {"template": "x"}, "mean 'templates'"),
        (
            "AGGREGATIONS",
            "file-download-agg",
            {"aggregator_config": {"copy_field": {}}},
            "'file-download-agg' of stats_pipeline: .*'copy_field' .* mean 'copy_fields'",
        ),
        (
            "AGGREGATIONS",
            "new-agg",
            {"aggregator_config": {**BY_FILE, "aggregation_intervall": "day"}},
            "'new-agg' of the host's STATS_AGGREGATIONS: .* mean 'aggregation_interval'",
        ),
        ("QUERIES", "bucket-file-download-total", {"permissions": None}, "mean 'permission'"),
        (
            "QUERIES",
            "bucket-file-download-total",
            {"query_config": {"required_filter": {}}},
            "'bucket-file-download-total'.*'required_filter' in .* mean 'required_filters'",
        ),
        (
            "QUERIES",
            "new",
            {**HISTOGRAM, "query_config": {"index": "stats-x", "copy_filds": {}}},
            "'new'.*'copy_filds' in query_config.* mean 'copy_fields'",
        ),
        (
            "QUERIES",
            "ratio",
            {**RATIO, "query_config": {"tables": "records"}},
            "query 'ratio' of the host's STATS_QUERIES: .*'tables' in query_config.* mean 'table'",
        ),
        (
            "QUERIES",
            "ratio",
            {**RATIO, "query_config": {"since": 1990}},
            r"Ratio can't be made of query_config \['since'\]: missing .*'table'",
        ),
    ],
)
def test_a_typo_in_the_configuration_is_refused_at_start_with_the_nearest_key(
    setting: str, name: str, keys: dict[str, Any], message: str, make_app: MakeApp
) -> None:
    """Of all three registries, at the top and nested, of overrides and of complete registrations.

    A host's own query class is not made for that.
    """
    settings: dict[str, Any] = {f"STATS_{setting}": {name: keys}}
    with pytest.raises(StatsError, match=message):
        make_app("sqlite://", **settings)


def test_a_right_configuration_of_a_hosts_query_makes_no_object_at_start(make_app: MakeApp) -> None:
    """Its constructor may need what is not there yet."""
    ratio = {**RATIO, "query_config": {"table": "records"}}
    pipeline = pipeline_of(make_app("sqlite://", STATS_QUERIES={"ratio": ratio}))
    assert pipeline.registries.query("ratio").declaration.query_config == {"table": "records"}
