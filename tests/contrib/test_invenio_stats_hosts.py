"""Hosts of invenio-stats: InvenioRDM, the first version, and what both left to be shipped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from stats_pipeline.cli import stats
from stats_pipeline.contrib.invenio_stats.names import DICTS
from stats_pipeline.contrib.invenio_stats.shipped import read_shipped
from tests.contrib.invenio_stats import DATA, places, run, settings_of, translated, write

RDM = DATA / "rdm.cfg"

MakeStandalone = Callable[..., Flask]

#: As `register_events` and its like returned it.
FIRST_VERSION = """
from invenio_search import current_search_client
from invenio_stats.aggregations import StatAggregator
from invenio_stats.processors import EventsIndexer, anonymize_user, flag_robots
from invenio_stats.queries import ESDateHistogramQuery, ESTermsQuery

STATS_EVENTS = {
    "page-view": dict(
        event_type="page-view",
        templates="repository.stats.page_view",
        processor_class=EventsIndexer,
        processor_config=dict(preprocessors=[flag_robots, anonymize_user], double_click_window=30),
    )
}
STATS_AGGREGATIONS = {
    "page-view-agg": dict(
        aggregation_name="page-view-agg",
        templates="repository.stats.aggr_page_view",
        aggregator_class=StatAggregator,
        aggregator_config=dict(
            client=current_search_client,
            event="page-view",
            aggregation_field="page",
            aggregation_interval="day",
            copy_fields=dict(title="title"),
            metric_aggregation_fields={"seconds": ("sum", "seconds", {})},
            batch_size=7,
        ),
    ),
    "page-view-all-agg": dict(
        aggregator_class=StatAggregator,
        aggregator_config=dict(event="page-view", aggregation_field="page"),
    ),
}
STATS_QUERIES = {
    "page-view-histogram": dict(
        query_name="page-view-histogram",
        query_class=ESDateHistogramQuery,
        query_config=dict(
            index="stats-page-view",
            doc_type="page-view-day-aggregation",
            copy_fields=dict(page="page"),
            required_filters=dict(page="page"),
        ),
    )
}
"""


def test_a_repository_on_InvenioRDM_is_translated_with_its_schedule_and_emitters(
    app: Flask, tmp_path: Path
) -> None:
    """Nothing of it need be installed; what runs tasks and what has no signal is named."""
    found = translated(app, RDM, "--templates", tmp_path / "templates")
    assert found["translated"] == {"events": 3, "aggregations": 2, "queries": 2, "settings": 0}
    lost = places(found["not_translated"])
    assert [where for where in lost if "event_builders" not in where] == [
        "CELERY_BEAT_SCHEDULE['stats-process-events']",
        "CELERY_BEAT_SCHEDULE['stats-aggregate-events']",
        "STATS_EVENTS['file-download']['signal']",
        "STATS_EVENTS['record-view']['params']['preprocessors']",
        "STATS_EVENTS['record-view']['signal']",
        "STATS_QUERIES['record-view']['permission_factory']",
        "STATS_QUERIES['record-download']['permission_factory']",
    ]
    by_place = {note["where"]: note for note in found["not_translated"] + found["to_check"]}
    assert "beat_schedule" in by_place["CELERY_BEAT_SCHEDULE['stats-process-events']"]["what_to_do"]
    assert "get_event_emitter" in by_place["STATS_EVENTS['record-view']['signal']"]["why"]
    assert "current_stats.publish" in by_place["STATS_EVENTS['import']['signal']"]["why"]
    assert found["problems"] == []


def test_a_migrated_repository_is_healthy(
    app: Flask, make_standalone: MakeStandalone, tmp_path: Path
) -> None:
    """Its doctor finds nothing, and queries that are shipped for other events are gone."""
    templates = tmp_path / "templates"
    settings = settings_of(translated(app, RDM, "--templates", templates)["configuration"])
    migrated = make_standalone(**settings)
    doctor = migrated.test_cli_runner().invoke(stats, ["doctor", "--wait", "0"])
    assert doctor.exit_code == 0, doctor.output
    client = migrated.test_client()
    listed = {query["name"] for query in client.get("/stats/").get_json()["queries"]}
    assert not listed & {"record-view-histogram", "bucket-file-download-total"}
    assert client.get("/stats/record-view-histogram").status_code == 404


def test_what_is_shipped_for_a_replaced_event_type_is_switched_off_with_a_remark(
    app: Flask, tmp_path: Path
) -> None:
    """Unless the old configuration has it, and only for what it replaces."""
    found = translated(app, RDM, "--templates", tmp_path / "templates")
    settings = settings_of(found["configuration"])
    off = {name for name, keys in settings["STATS_QUERIES"].items() if keys is None}
    assert off == {
        "bucket-file-download-histogram",
        "bucket-file-download-total",
        "record-view-histogram",
        "record-view-total",
    }
    assert None not in settings["STATS_AGGREGATIONS"].values()
    assert {f"STATS_QUERIES[{name!r}]" for name in off} <= set(places(found["to_check"]))


def test_what_is_shipped_is_known_with_what_it_reads() -> None:
    """Also of event types that invenio-stats does not have."""
    shipped = read_shipped()
    assert shipped.of("file-download") == (
        ["file-download-agg"],
        ["bucket-file-download-histogram", "bucket-file-download-total"],
    )
    assert shipped.of("access-log")[1] == ["access-log-histogram", "access-log-terms"]


def test_the_names_of_the_first_version_mean_the_same(app: Flask, tmp_path: Path) -> None:
    """They are our own, so nothing of them is lost; a month was the interval if none was said."""
    old = write(tmp_path, FIRST_VERSION)
    found = translated(app, old, "--templates", tmp_path / "templates")
    assert places(found["not_translated"]) == [
        "STATS_AGGREGATIONS['page-view-agg']['aggregator_config']['client']",
        "STATS_AGGREGATIONS['page-view-agg']['aggregator_config']['batch_size']",
        "STATS_QUERIES['page-view-histogram']['query_config']['doc_type']",
    ]
    assert found["problems"] == []
    settings = settings_of(found["configuration"])
    event = settings["STATS_EVENTS"]["page-view"]
    assert event["processor_class"] == "stats_pipeline:EventsIndexer"
    assert event["processor_config"]["double_click_window"] == 30
    aggregation = settings["STATS_AGGREGATIONS"]["page-view-agg"]
    assert aggregation["aggregator_class"] == "stats_pipeline:StatAggregator"
    assert aggregation["aggregator_config"] == {
        "event": "page-view",
        "aggregation_field": "page",
        "aggregation_interval": "day",
        "copy_fields": {"title": "title"},
        "metrics": {"seconds": ("sum", "seconds")},
    }
    monthly = settings["STATS_AGGREGATIONS"]["page-view-all-agg"]["aggregator_config"]
    assert monthly["aggregation_interval"] == "month"
    query = settings["STATS_QUERIES"]["page-view-histogram"]
    assert query["query_class"] == "stats_pipeline:DateHistogramQuery"
    assert query["query_config"]["required_filters"] == {"page": "page"}


def test_where_a_key_has_both_names_the_later_one_counts(app: Flask, tmp_path: Path) -> None:
    """And the other is listed; a name that is not the entry's own as well."""
    old = write(
        tmp_path,
        "STATS_EVENTS = {'file-download': {'event_type': 'download',"
        " 'processor_config': {'double_click_window': 10}, 'params': {'double_click_window': 60}}}",
    )
    found = translated(app, old)
    entry = "STATS_EVENTS['file-download']"
    assert places(found["not_translated"]) == [
        f"{entry}['event_type']",
        f"{entry}['processor_config']",
    ]
    event = settings_of(found["configuration"])["STATS_EVENTS"]["file-download"]
    assert event == {"processor_config": {"double_click_window": 60}}


def test_a_shipped_query_stays_as_it_is_or_with_what_it_is_given(
    app: Flask, tmp_path: Path
) -> None:
    """As an aggregation does; another one without a class was registered elsewhere."""
    old = write(
        tmp_path,
        "STATS_AGGREGATIONS = {'file-download-agg': {}}\n"
        "STATS_QUERIES = {'bucket-file-download-histogram': {}, 'bucket-file-download-total':"
        " {'query_config': {'aggregated_fields': ['file_id']}}, 'share': {}}\n",
    )
    found = translated(app, old)
    assert places(found["not_translated"]) == ["STATS_QUERIES['share']['cls']"]
    settings = settings_of(found["configuration"])
    assert settings["STATS_AGGREGATIONS"] == {"file-download-agg": {}}
    assert settings["STATS_QUERIES"] == {
        "bucket-file-download-histogram": {},
        "bucket-file-download-total": {"query_config": {"aggregated_fields": ["file_id"]}},
    }
    assert found["problems"] == []


def test_a_shipped_query_is_closed_where_a_factory_guarded_it(app: Flask, tmp_path: Path) -> None:
    """Its own, or that of all queries."""
    query = "STATS_QUERIES = {'bucket-file-download-total': %s}\n"
    for text in (
        query % "{'permission_factory': 'repository.permissions.factory'}",
        "STATS_PERMISSION_FACTORY = 'repository.permissions.factory'\n" + query % "{}",
    ):
        found = translated(app, write(tmp_path, text))
        (entry,) = settings_of(found["configuration"])["STATS_QUERIES"].values()
        assert entry == {"permission": "stats_pipeline.permissions:deny_all"}
        assert len(found["not_translated"]) == 1


@pytest.mark.parametrize("path", DICTS)
def test_dicts_of_invenio_stats_are_known(app: Flask, tmp_path: Path, path: str) -> None:
    """They can be unpacked, looked into and changed, though it is not installed."""
    module, _, name = path.rpartition(".")
    old = write(
        tmp_path,
        f"from {module} import {name} as known\nOTHER = {{**known, 'x': 1}}\n"
        "known.update(y=known.get('y'))\nSTATS_EVENTS = {}\n",
    )
    assert translated(app, old)["problems"] == []


def test_the_dicts_of_invenio_stats_mean_what_is_shipped(app: Flask, tmp_path: Path) -> None:
    """Their event types, aggregations and queries have the names of ours."""
    old = write(
        tmp_path,
        "from invenio_stats.contrib.config import *\n"
        "from invenio_stats.contrib import config\n"
        "STATS_EVENTS = {**config.EVENTS_CONFIG}\n"
        "STATS_AGGREGATIONS = config.AGGREGATIONS_CONFIG\n"
        "STATS_QUERIES = config.QUERIES_CONFIG\n",
    )
    found = translated(app, old)
    assert found["translated"] == {"events": 2, "aggregations": 2, "queries": 2, "settings": 0}
    assert places(found["not_translated"])[1:] == [
        "STATS_EVENTS['file-download']['signal']",
        "STATS_EVENTS['record-view']['signal']",
    ]
    assert "the registered one is heard" in str(found["not_translated"])
    assert found["problems"] == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("STATS_EVENTS = {**stats.X}", "STATS_EVENTS[**repository.stats.X]"),
        ("STATS_EVENTS = dict(stats.X)", "STATS_EVENTS[**repository.stats.X]"),
        (
            "STATS_EVENTS = {'file-download': {**stats.X}}",
            "STATS_EVENTS['file-download'][**repository.stats.X]",
        ),
        (
            "STATS_EVENTS = {'file-download': {'params': {**stats.X}}}",
            "STATS_EVENTS['file-download']['params'][**repository.stats.X]",
        ),
        (
            "STATS_AGGREGATIONS = {'a': {'params': {'event': 'x', 'copy_fields': {**stats.X}}}}",
            "STATS_AGGREGATIONS['a']['params']['copy_fields'][**repository.stats.X]",
        ),
        (
            "STATS_AGGREGATIONS = {'a': {'params': {'event': 'x', 'metric_fields': {**stats.X}}}}",
            "STATS_AGGREGATIONS['a']['params']['metric_fields'][**repository.stats.X]",
        ),
        (
            "STATS_QUERIES = {'q': {'cls': stats.Y, 'params': {**stats.X}}}",
            "STATS_QUERIES['q']['cls']",
        ),
        (
            "STATS_QUERIES = {'q': {'cls': 'builtins.dict', 'params': {**stats.X}}}",
            "STATS_QUERIES['q']['params'][**repository.stats.X]",
        ),
    ],
)
def test_what_a_dict_takes_from_elsewhere_is_listed_where_it_can_not_be_imported(
    app: Flask, tmp_path: Path, text: str, where: str
) -> None:
    """All that is beside it is translated."""
    found: dict[str, Any] = translated(
        app, write(tmp_path, f"from repository import stats\n{text}\n")
    )
    assert places(found["not_translated"]) == [where]
    assert where in " ".join(found["configuration"].replace("#", " ").split())


def test_a_file_that_ends_the_process_is_refused_in_one_line(app: Flask, tmp_path: Path) -> None:
    """Its own exit code would be taken for that of the command."""
    result = run(app, write(tmp_path, "import sys; sys.exit(3)"))
    assert result.exit_code == 2
    assert "old.py, line 1 can't be run: SystemExit(3)" in result.stderr
    assert result.stderr.count("\n") == 1
