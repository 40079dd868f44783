"""A configuration of invenio-stats becomes one that an application starts with."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from stats_pipeline import current_stats
from tests.contrib.invenio_stats import DATA, places, run, settings_of, translated, write
from tests.support import BROWSER

OLD = DATA / "invenio.cfg"


@pytest.fixture
def with_templates(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the repository's package of index templates importable, and nothing else of it."""
    monkeypatch.syspath_prepend(str(DATA))
    yield
    for name in [name for name in sys.modules if name.startswith("repository_stats")]:
        del sys.modules[name]


def test_everything_is_translated_or_listed(app: Flask, tmp_path: Path) -> None:
    """Each thing that could not be translated is in the list, with its place, and in the text."""
    found = translated(app, OLD, "--templates", tmp_path / "templates")
    assert found["translated"] == {"events": 2, "aggregations": 4, "queries": 3, "settings": 2}
    assert places(found["not_translated"]) == [
        "from invenio_records_resources import *",
        "STATS_EXCLUDED_ADDRS",
        "STATS_MQ_EXCHANGE",
        "STATS_EVENTS['file-download']['params']['colour']",
        "STATS_EVENTS['file-download']['event_builders']",
        "STATS_EVENTS['page-view']['params']['preprocessors']",
        "STATS_EVENTS['page-view']['params']['double_click_window']",
        "STATS_EVENTS['page-view']['signal']",
        "STATS_EVENTS['page-view']['event_builders']",
        "STATS_AGGREGATIONS['file-download-agg']['params']['copy_fields']['title']",
        "STATS_AGGREGATIONS['file-download-agg']['params']['client']",
        "STATS_AGGREGATIONS['file-download-robots-agg']['params']['metric_fields']['spread']",
        "STATS_AGGREGATIONS['page-view-agg']['params']['query_modifiers']",
        "STATS_QUERIES['bucket-file-download-histogram']['params']['doc_type']",
        "STATS_QUERIES['bucket-file-download-histogram']['permission_factory']",
        "STATS_QUERIES['bucket-file-download-total']['params']['metric_fields']['visitors']",
        "STATS_QUERIES['open-records']['cls']",
    ]
    words = found["configuration"].replace("#", " ").split()
    assert words.count("TRANSLATED:") == len(found["not_translated"])
    for note in found["not_translated"]:
        assert note["where"] in " ".join(words), note
    assert found["problems"] == []


def test_names_and_shapes_are_ours(app: Flask, tmp_path: Path) -> None:
    """Classes, parameters, metrics, preprocessors and settings have the names of the manual."""
    folder = tmp_path / "templates"
    settings = settings_of(translated(app, OLD, "--templates", folder)["configuration"])
    assert settings["STATS_RECEIVERS"] is False
    assert settings["STATS_INDEX_PREFIX"] == "repo-"
    assert settings["STATS_EVENTS"]["file-download"] == {
        "replaces": True,
        "templates": "stats_pipeline.es_templates.file_download",
        "processor_class": "stats_pipeline:EventsIndexer",
        "processor_config": {
            "preprocessors": [
                f"stats_pipeline.events.preprocessors:{name}"
                for name in (
                    "flag_robots",
                    "flag_machines",
                    "anonymize_user",
                    "build_file_unique_id",
                )
            ],
            "double_click_window": 30,
        },
        "signal": "stats_pipeline.contrib.file_download.signals.file_downloaded",
        "event_builders": [
            "stats_pipeline.contrib.file_download.builders:build_file_download",
            "stats_pipeline.events.user:add_user",
        ],
    }
    page_view = settings["STATS_EVENTS"]["page-view"]
    assert page_view["templates"] == str(folder)
    assert page_view["processor_config"]["index_interval"] == "day"
    assert page_view["event_builders"] == ["stats_pipeline.events.user.add_user"]
    robots = settings["STATS_AGGREGATIONS"]["file-download-robots-agg"]["aggregator_config"]
    assert robots == {
        "event": "file-download",
        "aggregation_field": "bucket_id",
        "aggregation_interval": "month",
        "index_interval": "year",
        "metrics": {"largest": ("max", "size"), "average": ("mean", "size")},
        "query_modifiers": [],
    }
    downloads = settings["STATS_AGGREGATIONS"]["file-download-agg"]["aggregator_config"]
    assert downloads["metrics"] == {
        "unique_count": ("unique", "unique_session_id"),
        "volume": ("sum", "size"),
    }
    assert settings["STATS_QUERIES"]["bucket-file-download-total"] == {
        "replaces": True,
        "query_class": "stats_pipeline:TermsQuery",
        "query_config": {
            "aggregation": "file-download-agg",
            "required_filters": {"bucket_id": "bucket_id"},
            "aggregated_fields": ["file_key"],
            "metric_fields": {"value": ("sum", "count"), "average_volume": ("mean", "volume")},
        },
        "permission": "stats_pipeline.permissions:allow_everyone",
    }


def test_a_host_runs_with_the_result(
    app: Flask,
    make_standalone: Callable[..., Flask],
    with_templates: None,
    tmp_path: Path,
) -> None:
    """Events go through the translated chain into rows and answers, also of a converted type."""
    folder = tmp_path / "templates"
    found = translated(app, OLD, "--templates", folder, "--output", tmp_path / "new.cfg")
    assert found["configuration"] is None
    assert found["problems"] == []
    make_standalone(**settings_of((tmp_path / "new.cfg").read_text()))
    who = {"ip_address": "192.0.2.7", "user_agent": BROWSER, "timestamp": "2024-05-06T07:08:09Z"}
    download = {"bucket_id": "b", "file_id": "f", "file_key": "a.txt", "size": 10}
    current_stats.publish("file-download", [{**download, **who}])
    view = {"page": "/a", "via_api": True, "seconds": 1.5, "unique_id": "ui_a"}
    current_stats.publish("page-view", [{**view, **who}])
    report = current_stats.process_events()
    assert (report.indexed, report.dead) == (2, 0)
    current_stats.update()
    total = current_stats.query("bucket-file-download-total", bucket_id="b")
    assert (total["value"], total["average_volume"]) == (1, 10)
    views = current_stats.query("page-view", page="/a")
    assert (views["views"], views["unique_views"], views["page"]) == (1, 1, "/a")


def test_templates_are_converted(app: Flask, with_templates: None, tmp_path: Path) -> None:
    """What is ours and what is raw is left out, and so is what changes the values found."""
    found = translated(app, OLD, "--templates", tmp_path / "templates")
    assert found["templates"] == ["page-view"]
    body = json.loads((tmp_path / "templates" / "page-view.json").read_text())
    assert body["template"] == {
        "settings": {"index": {"refresh_interval": "5s"}},
        "mappings": {
            "properties": {
                "opened": {"type": "date"},
                "page": {"type": "keyword"},
                "via_api": {"type": "boolean"},
                "seconds": {"type": "double"},
            }
        },
    }


def test_a_template_that_is_not_there_is_drafted(app: Flask, tmp_path: Path) -> None:
    """The draft holds the fields that aggregations use, and somebody is told to look at it."""
    found = translated(app, OLD, "--templates", tmp_path / "templates")
    body = json.loads((tmp_path / "templates" / "page-view.json").read_text())
    assert body["template"]["mappings"]["properties"] == {
        "page": {"type": "keyword"},
        "via_api": {"type": "keyword"},
        "seconds": {"type": "double"},
    }
    assert "STATS_EVENTS['page-view']['templates']" in places(found["to_check"])


def test_without_a_folder_for_templates_it_says_what_is_missing(app: Flask) -> None:
    """No application starts with it, and why stands in the summary."""
    found = translated(app, OLD)
    assert "STATS_EVENTS['page-view']['templates']" in places(found["not_translated"])
    assert "--templates FOLDER" in str(found["not_translated"])
    (problem,) = found["problems"]
    assert "does not start with it: Unknown event type 'page-view' in STATS_EVENTS" in problem


def test_what_is_less_strict_than_before_is_never_the_default(app: Flask, tmp_path: Path) -> None:
    """A permission factory gives an object that is always true, so nobody may ask for now."""
    settings = settings_of(translated(app, OLD, "--templates", tmp_path / "t")["configuration"])
    permissions = {n: each["permission"] for n, each in settings["STATS_QUERIES"].items()}
    assert permissions == {
        "bucket-file-download-histogram": "stats_pipeline.permissions:deny_all",
        "bucket-file-download-total": "stats_pipeline.permissions:allow_everyone",
        "page-view": "stats_pipeline.permissions:allow_everyone",
    }


def test_a_permission_factory_for_all_queries_closes_those_without_one(
    app: Flask, tmp_path: Path
) -> None:
    """Also where the factory could be imported here."""
    old = write(
        tmp_path,
        "from invenio_stats.queries import TermsQuery\n"
        "STATS_PERMISSION_FACTORY = 'stats_pipeline.permissions.authenticated'\n"
        "STATS_QUERIES = {'q': {'cls': TermsQuery, 'params': {'index': 'stats-access-log'}}}\n",
    )
    found = translated(app, old)
    (query,) = settings_of(found["configuration"])["STATS_QUERIES"].values()
    assert query["permission"] == "stats_pipeline.permissions:deny_all"
    assert places(found["not_translated"]) == ["STATS_QUERIES['q']['permission_factory']"]
    assert "STATS_QUERIES['q']['params']['index']" in places(found["to_check"])


def test_a_query_is_given_one_of_several_aggregations_that_shared_an_index(app: Flask) -> None:
    """That of the index's own name comes first, and somebody is told to choose."""
    found = translated(app, OLD)
    (query,) = [
        note
        for note in found["to_check"]
        if note["where"] == "STATS_QUERIES['page-view']['params']['index']"
    ]
    assert "page-view-agg, page-view-monthly-agg" in query["why"]


@pytest.mark.parametrize(
    ("params", "lost"),
    [
        ("{'preprocessors': 'flag'}", "['preprocessors']"),
        ("{'preprocessors': ['invenio_stats.processors.hash_id']}", "['preprocessors']"),
        ("{'double_click_window': -1}", "['double_click_window']"),
        ("{'double_click_window': '10'}", "['double_click_window']"),
        ("{'suffix': '%A'}", "['suffix']"),
        ("{'prefix': 'events'}", "['prefix']"),
    ],
)
def test_an_odd_parameter_is_listed(app: Flask, tmp_path: Path, params: str, lost: str) -> None:
    """Never dropped without a word, and never a reason to fail."""
    old = write(
        tmp_path,
        "STATS_EVENTS = {'file-download': {'templates': 'invenio_stats.contrib.file_download',"
        f" 'cls': 'invenio_stats.processors.EventsIndexer', 'params': {params}}}}}\n",
    )
    found = translated(app, old)
    where = f"STATS_EVENTS['file-download']['params']{lost}"
    assert places(found["not_translated"]) == [where]
    assert found["problems"] == []


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("'repository.stats:EVENT'", "repository.stats:EVENT can't be imported here"),
        ("lambda app: 1", "a lambda in line 1 of the file itself gives no dict"),
        ("lambda app: app.config['X']", "a lambda in line 1 of the file itself raised KeyError"),
        ("5", "5 gives no dict"),
    ],
)
def test_an_entry_that_is_no_dict_is_listed(
    app: Flask, tmp_path: Path, entry: str, why: str
) -> None:
    """A path that can't be imported, and what gives anything but a dict."""
    found = translated(app, write(tmp_path, f"STATS_EVENTS = {{'x': {entry}}}\n"))
    (note,) = found["not_translated"]
    assert note["where"] == "STATS_EVENTS['x']"
    assert why in note["why"]
    assert settings_of(found["configuration"])["STATS_EVENTS"] == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os\nSTATS_EVENTS = {\n", "old.py, line 2 can't be run"),
        ("x = 1\nSTATS_EVENTS = 1 / 0\n", "old.py, line 2 can't be run: ZeroDivisionError"),
        (
            "from repository import stats\nSTATS_EVENTS = {'x': stats.EVENTS['x']}\n",
            "line 2 can't be run: the file looks into repository.stats.EVENTS, which can't be",
        ),
        ("DEBUG = True\n", "sets none of STATS_EVENTS, STATS_AGGREGATIONS, STATS_QUERIES"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    app: Flask, tmp_path: Path, text: str, said: str
) -> None:
    """One line names the file, the line and the reason."""
    result = run(app, write(tmp_path, text))
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_nothing_is_written_over(app: Flask, tmp_path: Path) -> None:
    """A file of that name may hold somebody's work; nothing at all is written then."""
    (tmp_path / "new.cfg").write_text("mine")
    result = run(app, OLD, "--output", tmp_path / "new.cfg", "--templates", tmp_path / "templates")
    assert result.exit_code == 2
    assert "new.cfg is there already" in result.stderr
    assert (tmp_path / "new.cfg").read_text() == "mine"
    assert not (tmp_path / "templates").exists()


def test_the_text_goes_to_standard_output_and_the_summary_beside_it(
    app: Flask, tmp_path: Path
) -> None:
    """So that the text can be redirected into a file."""
    result = run(app, OLD, "--templates", tmp_path / "templates")
    assert set(settings_of(result.stdout)) >= {"STATS_EVENTS", "STATS_QUERIES"}
    assert "Translated: 2 events, 4 aggregations, 3 queries, 2 settings" in result.stderr
    assert "Not translated: 17" in result.stderr
    assert "An application starts with it" in result.stderr


def test_translating_loads_nothing_into_the_process(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in for missing modules is seen by that file only."""
    translated(app, OLD, "--templates", tmp_path / "templates")
    with pytest.raises(ModuleNotFoundError):
        __import__("repository.stats")
