"""Rows that were counted elsewhere are shown apart by the configuration in docs/moving.md."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from stats_pipeline.app import create_app
from tests.cli.conftest import Run, run, run_json, two_days
from tests.docs.blocks import blocks_of
from tests.support import pipeline_of

__all__ = ["run", "run_json", "two_days"]

PAGE = Path(__file__).parents[2] / "docs" / "moving.md"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Give the stand-alone application with the configuration that the page shows."""
    monkeypatch.chdir(tmp_path)
    (block,) = [b for b in blocks_of(PAGE.read_text()) if b.title == "stats.cfg"]
    block.write_into(tmp_path)
    app = create_app(config_file="stats.cfg")
    yield app
    pipeline_of(app).close()


def test_imported_rows_are_shown_apart_as_the_page_says(
    run: Run, run_json: Callable[..., Any], two_days: None, tmp_path: Path
) -> None:
    """What was counted here is the total of all rows less the buckets of the sources."""
    run("events", "process")
    run("update")
    file = tmp_path / "rows"
    file.write_text('{"start": "2010-01-01", "path": "/a", "count": 5}\n')
    run("rows", "import", "access-log-agg", str(file), "--source", "awstats")
    assert run_json("query", "access-log-terms", "path=/a")["value"] == 7
    (bucket,) = run_json("query", "access-log-histogram", "path=/a", "source=awstats")["buckets"]
    assert (bucket["date"], bucket["value"]) == ("2010-01-01T00:00:00.000Z", 5)
    found = run_json("query", "access-log-sources")
    assert found["value"] == 8
    assert [(each["key"], each["value"]) for each in found["buckets"]] == [("awstats", 5)]
