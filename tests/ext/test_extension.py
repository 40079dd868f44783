"""The Flask extension: one pipeline for each app, set up at once or later, refused in one line."""

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from blinker import Namespace
from flask import Flask

from stats_pipeline import StatsPipeline, current_stats
from stats_pipeline.errors import ConfigurationError, DefinitionError, StatsError
from stats_pipeline.pipeline import Pipeline
from tests.support import E004_EVENTS, Backend, MakeApp, pipeline_of

DOWNLOADS: dict[str, Any] = {"STATS_EVENTS": {"file-download": {}}}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """Give an app without statistics."""
    return Flask("host", instance_path=str(tmp_path / "instance"))


@pytest.mark.parametrize("later", [False, True])
def test_B32_an_app_gets_its_pipeline_at_once_or_later(app: Flask, *, later: bool) -> None:
    """`StatsPipeline(app)` and `init_app(app)` do the same."""
    if later:
        StatsPipeline().init_app(app)
    else:
        StatsPipeline(app)
    with app.app_context():
        assert isinstance(app.extensions["stats_pipeline"], Pipeline)
        assert current_stats == pipeline_of(app)


def test_one_extension_object_serves_several_apps(app: Flask) -> None:
    """Each has a pipeline and settings of its own."""
    other = Flask("other")
    other.config["STATS_INDEX_PREFIX"] = "other-"
    extension = StatsPipeline()
    for each in (app, other):
        extension.init_app(each)
    assert pipeline_of(app) is not pipeline_of(other)
    with other.app_context():
        assert current_stats.settings["STATS_INDEX_PREFIX"] == "other-"
    with app.app_context():
        assert current_stats.settings["STATS_INDEX_PREFIX"] == ""


def test_an_app_is_set_up_once(app: Flask) -> None:
    """Twice would count every signal twice."""
    StatsPipeline(app)
    with pytest.raises(ConfigurationError, match="has StatsPipeline already; call init_app once"):
        StatsPipeline(app)


def test_current_stats_says_what_it_needs(app: Flask) -> None:
    """An app context, and statistics in that app."""
    with pytest.raises(RuntimeError, match=r"needs an app: .* `with app\.app_context\(\)`"):
        current_stats.flush()
    with app.app_context(), pytest.raises(RuntimeError, match=r"call StatsPipeline\(app\)"):
        current_stats.flush()


def test_setting_up_touches_neither_store_nor_queue(app: Flask, tmp_path: Path) -> None:
    """A wrong or stopped server can't keep the host from starting; no file is made."""
    app.config.update(DOWNLOADS, STATS_BROKER_URL="amqp://localhost:1//")
    StatsPipeline(app)
    assert list(tmp_path.iterdir()) == []
    pipeline_of(app).close()


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"STATS_STORE_ULR": "sqlite://"}, "Unknown setting STATS_STORE_ULR; did you mean"),
        ({"STATS_STORE_URL": "redis://"}, "STATS_STORE_URL='redis://': expected a complete URL"),
        ({"STATS_EVENTS": {"file-downlod": {}}}, "'file-downlod' in STATS_EVENTS, which nobody"),
        ({"STATS_QUERIES": {"x": {"query_config": {}}}}, "Unknown statistic 'x' in STATS_QUERIES"),
        (
            {"STATS_EVENTS": {"file-download": {}, "record-view": {"signal": "no.where"}}},
            "event type 'record-view' of stats_pipeline: 'no.where' can't be imported",
        ),
    ],
)
def test_A004_05_07_a_wrong_configuration_is_refused_when_the_app_is_set_up(
    app: Flask, configuration: dict[str, Any], message: str
) -> None:
    """The app stays as it was, so that it can be set up once the mistake is mended."""
    app.config.update(configuration)
    with pytest.raises(StatsError, match=message):
        StatsPipeline(app)
    assert "stats_pipeline" not in app.extensions
    for key in configuration:
        del app.config[key]
    StatsPipeline(app)


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({}, {"/stats/": 200, "/numbers/": 404}),
        ({"STATS_URL_PREFIX": "/numbers"}, {"/stats/": 404, "/numbers/": 200}),
        ({"STATS_URL_PREFIX": None}, {"/stats/": 404, "/numbers/": 404}),
    ],
)
def test_the_rest_api_is_where_the_host_wants_it(
    embedded: Backend, make_app: MakeApp, configuration: dict[str, Any], expected: dict[str, int]
) -> None:
    """Or nowhere."""
    client = make_app(embedded.store_url, **configuration).test_client()
    assert {path: client.get(path).status_code for path in expected} == expected


def test_the_commands_are_there_as_flask_stats(app: Flask) -> None:
    """The same group as `stats` alone."""
    StatsPipeline(app)
    result = app.test_cli_runner().invoke(args=["stats", "--help"])
    assert result.exit_code == 0
    assert "update" in result.output


def test_what_the_host_calls_works_through_current_stats(
    embedded: Backend, make_app: MakeApp
) -> None:
    """The calls of DESIGN.md 3.1, one after the other."""
    app = make_app(embedded.store_url)
    with app.app_context():
        current_stats.publish("file-download", E004_EVENTS)
        assert current_stats.flush(timeout_seconds=10)
        assert current_stats.process_events(["file-download"]).indexed == 7
        names = ["file-download-agg"]
        updated = current_stats.update(names=names, start=None, end=None)
        assert updated.aggregations["file-download-agg"].created == 3
        reset = current_stats.reset(names=names, start="2016-12-18", end="2016-12-18")
        assert reset.is_complete
        answer = current_stats.query("bucket-file-download-total", bucket_id=20)
        assert answer["value"] == 6


def test_the_extension_keeps_no_app(tmp_path: Path) -> None:
    """An app that nobody uses any more is freed, and its receivers with it."""
    signal = Namespace().signal("used")
    events = {"file-download": {"signal": signal}}
    app = Flask("host", instance_path=str(tmp_path))
    app.config["STATS_EVENTS"] = events
    extension = StatsPipeline(app)
    assert len(list(signal.receivers_for("anybody"))) == 1
    reference = weakref.ref(app)
    del app
    gc.collect()
    assert reference() is None
    assert list(signal.receivers_for("anybody")) == []
    assert extension is not None


def histogram(**config: Any) -> dict[str, Any]:
    """Return the registration of a histogram."""
    return {
        "query_class": "stats_pipeline:DateHistogramQuery",
        "query_config": config,
        "permission": "stats_pipeline.permissions:allow_everyone",
    }


EVER = {
    "ever-agg": {
        "aggregator_config": {
            "event": "file-download",
            "aggregation_field": "unique_id",
            "aggregation_interval": "all",
        }
    }
}


@pytest.mark.parametrize("rows", [{"aggregation": "ever-agg"}, {"index": "stats-ever"}])
def test_a_histogram_of_rows_of_all_time_is_refused_when_it_is_defined(
    app: Flask, rows: dict[str, Any]
) -> None:
    """It could never be asked; of the rows of an aggregation that is overridden as well."""
    app.config.update(DOWNLOADS, STATS_AGGREGATIONS=EVER, STATS_QUERIES={"mine": histogram(**rows)})
    with pytest.raises(DefinitionError, match=r"query 'mine': a DateHistogramQuery has no buckets"):
        StatsPipeline(app)
    app.config["STATS_QUERIES"] = {
        "mine": {**histogram(**rows), "query_class": "stats_pipeline:TotalsQuery"}
    }
    StatsPipeline(app)


def test_a_query_of_an_unknown_aggregation_is_refused_when_it_is_defined(app: Flask) -> None:
    """With the query's name, and the nearest one."""
    app.config["STATS_QUERIES"] = {"mine": histogram(aggregation="access-log-ag")}
    with pytest.raises(DefinitionError, match=r"'mine': .*'access-log-ag'; .* 'access-log-agg'"):
        StatsPipeline(app)


def test_a_query_of_rows_that_nobody_writes_is_a_warning(
    make_app: MakeApp, embedded: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows may be there of before, or of somebody else; a typo is seen at start."""
    queries = {
        "mine": histogram(index="stats-access-lgo"),
        "other": histogram(index="stats-access-log"),
        "access-log-terms": {"permission": "stats_pipeline.permissions:deny_all"},
    }
    app = make_app(embedded.store_url, STATS_QUERIES=queries)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "query 'mine' reads the index 'stats-access-lgo', which no "
        "aggregation writes; did you mean 'stats-access-log'?"
    )
    assert pipeline_of(app).query("mine")["buckets"] == []
