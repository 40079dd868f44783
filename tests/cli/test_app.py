"""The stand-alone application: what it is by default, and what configures it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from stats_pipeline.app import create_app
from stats_pipeline.errors import ConfigurationError
from tests.support import pipeline_of

Make = Callable[..., Flask]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Give a function that makes applications in an empty folder."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:

        def make_one(*arguments: Any, **more: Any) -> Flask:
            app = create_app(*arguments, **more)
            stack.callback(pipeline_of(app).close)
            return app

        yield make_one


def test_all_that_is_shipped_is_active_and_data_is_in_the_instance_folder(
    make: Make, tmp_path: Path
) -> None:
    """Nothing must be configured, and nothing is written before it is needed."""
    pipeline = pipeline_of(make())
    shipped = ["access-log", "device-report", "file-download", "record-view"]
    assert pipeline.registries.active_event_types == shipped
    assert pipeline.store_url == f"sqlite:///{tmp_path / 'instance' / 'stats.db'}"
    assert list(tmp_path.iterdir()) == []


def test_the_environment_wins_over_the_file_and_arguments_over_both(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defaults < --config < STATS_* < what a program passes."""
    file = tmp_path / "stats.cfg.py"
    file.write_text(
        "STATS_INDEX_PREFIX = 'file-'\nSTATS_EVENTS = {'access-log': {}}\nSTATS_SPOOL = 'file'\n"
    )
    monkeypatch.setenv("STATS_INDEX_PREFIX", "environment-")
    monkeypatch.setenv("STATS_SPOOL", "environment")
    settings = pipeline_of(make({"STATS_SPOOL": "argument"}, config_file=file)).settings
    assert settings["STATS_EVENTS"] == {"access-log": {}}
    assert settings["STATS_INDEX_PREFIX"] == "environment-"
    assert settings["STATS_SPOOL"] == "argument"


def test_a_file_may_be_named_by_text(make: Make, tmp_path: Path) -> None:
    """As Flask takes it, also relative to the current folder."""
    (tmp_path / "stats.py").write_text("STATS_INDEX_PREFIX = 'file-'\n")
    assert pipeline_of(make(config_file="stats.py")).settings["STATS_INDEX_PREFIX"] == "file-"


@pytest.mark.parametrize("text", ["STATS_EVENTS = (", "import nothing", "1 / 0", "exit(3)"])
def test_a_file_that_is_no_configuration_is_named(make: Make, tmp_path: Path, text: str) -> None:
    """Whatever is wrong with it, the error says which file."""
    file = tmp_path / "bad.py"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"bad\.py can't be used as configuration"):
        make(config_file=file)


def test_the_root_leads_to_the_dashboard(make: Make) -> None:
    """Also where the API is somewhere else, or the application below another path."""
    app = make({"STATS_URL_PREFIX": "/numbers"})
    assert app.test_client().get("/").location == "/numbers/dashboard"
    assert app.test_client().get("/", follow_redirects=True).status_code == 200
    below = app.test_client().get("/", base_url="http://localhost/site/")
    assert below.location == "/site/numbers/dashboard"


def test_without_an_api_there_is_nothing_to_lead_to(make: Make) -> None:
    """A worker's application may serve nothing at all."""
    app = make({"STATS_URL_PREFIX": None})
    assert app.test_client().get("/").status_code == 404
