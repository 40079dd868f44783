"""Nothing is imported before it is used: seen in `sys.modules` of a fresh process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

#: Runs a statement and prints which modules it has imported.
LOOK = """
import json, sys
from flask import Flask
{}
print(json.dumps(sorted(sys.modules)))
"""

HEAVY = ("elasticsearch", "elastic_transport", "kombu", "amqp", "celery", "counter_robots")
APP = "from stats_pipeline import StatsPipeline; app = Flask('host'); "


def modules_after(statement: str, *, flask: bool = True) -> set[str]:
    """Return the names of the modules that a fresh process has after this statement."""
    program = LOOK if flask else LOOK.replace("from flask import Flask\n", "")
    done = subprocess.run(
        [sys.executable, "-c", program.format(statement)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("statement", ["import stats_pipeline", "from stats_pipeline import Where"])
def test_importing_the_package_imports_no_server_library(statement: str) -> None:
    """Neither Flask nor Elasticsearch nor Celery, also for what registrations need."""
    modules = modules_after(statement, flask=False)
    assert not modules & {"flask", *HEAVY}
    assert not any(name.startswith("stats_pipeline.contrib") for name in modules)


def test_A004_65_an_app_without_active_events_imports_nothing_of_a_registration() -> None:
    """The registration functions of the installed packages are not even called."""
    modules = modules_after(APP + "StatsPipeline(app)")
    assert not any(name.startswith("stats_pipeline.contrib.file") for name in modules)
    assert not modules & set(HEAVY)


def test_A004_65_B32_an_active_event_type_imports_its_signal_and_builders_only() -> None:
    """Preprocessors, indexer, store and queue wait for the process that works on events."""
    modules = modules_after(
        APP + "app.config['STATS_EVENTS'] = {'file-download': {}}; StatsPipeline(app)"
    )
    assert "stats_pipeline.contrib.file_download.signals" in modules
    assert "stats_pipeline.contrib.file_download.builders" in modules
    assert not any(name.startswith("stats_pipeline.events.preproc") for name in modules)
    assert not modules & set(HEAVY)


def test_A004_65_B32_a_registration_is_read_once() -> None:
    """What was loaded stays, for each app of its own: the same query however often it is asked."""
    from stats_pipeline.registry import Registries
    from stats_pipeline.settings import read_settings

    made = Registries(read_settings({"STATS_EVENTS": {"file-download": {}}}))
    assert made.event_items is made.event_items
    assert made.event_type("file-download") is made.event_type("file-download")
    assert made.query("bucket-file-download-total") is made.query("bucket-file-download-total")
    assert made.aggregation("file-download-agg") is made.aggregation("file-download-agg")
