"""The stand-alone application in a folder of its own, and its commands."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from stats_pipeline.app import create_app
from stats_pipeline.cli import stats
from tests.support import BROWSER, pipeline_of

Run = Callable[..., Result]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Give the stand-alone application on the embedded pair, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    app = create_app()
    yield app
    pipeline_of(app).close()


@pytest.fixture
def run(app: Flask) -> Run:
    """Give a function that runs `flask stats` with arguments in the app."""
    return lambda *arguments: app.test_cli_runner().invoke(stats, arguments)


@pytest.fixture
def run_json(run: Run) -> Callable[..., Any]:
    """Give a function that runs a command with --json and reads what it prints."""

    def run_and_read(*arguments: str) -> Any:
        result = run(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return run_and_read


@pytest.fixture
def two_days(app: Flask) -> None:
    """Publish three requests of two paths on two days."""
    request = {"method": "GET", "status": 200, "size": 10, "user_agent": BROWSER}
    pipeline_of(app).publish(
        "access-log",
        [
            {**request, "path": path, "unique_id": path, "timestamp": time, "user_id": user}
            for path, time, user in [
                ("/a", "2016-12-18T10:00:00Z", "u1"),
                ("/a", "2016-12-19T10:00:00Z", "u1"),
                ("/b", "2016-12-19T10:00:00Z", "u2"),
            ]
        ],
    )
