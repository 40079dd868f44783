"""Rows that were counted elsewhere are shown apart in every form of an answer, by themselves."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.cli.conftest import Run, app, run, run_json, two_days
from tests.rest.test_dashboard import open_page

__all__ = ["app", "run", "run_json", "two_days"]

RunJson = Callable[..., Any]

HISTOGRAM = "/stats/access-log-histogram"


@pytest.fixture
def client(app: Flask, run: Run, two_days: None, tmp_path: Path) -> FlaskClient:
    """Count three requests, and import what was counted elsewhere; give a client."""
    run("events", "process")
    run("update")
    file = tmp_path / "rows"
    file.write_text('{"start": "2010-01-01", "path": "/a", "count": 5}\n')
    assert run("rows", "import", "access-log-agg", str(file), "--source", "awstats").exit_code == 0
    return app.test_client()


def test_what_is_shipped_tells_clients_apart_what_was_imported(client: FlaskClient) -> None:
    """Over REST, in each form of an answer, and as described by OpenAPI."""
    answer = client.get(HISTOGRAM, query_string={"interval": "year"}).json
    assert answer is not None
    assert answer["imported"] == {"awstats": 5}
    values = [(b["date"][:4], b["value"], b.get("imported")) for b in answer["buckets"]]
    assert [values[0], values[-1]] == [("2010", 5, {"awstats": 5}), ("2016", 3, None)]
    for form in ("csv", "html", "text"):
        text = client.get(HISTOGRAM, query_string={"interval": "year", "format": form}).text
        assert "imported" in text
        assert "awstats" in text
    first = next(csv.DictReader(client.get(f"{HISTOGRAM}?format=csv").text.splitlines()))
    assert json.loads(first["imported"]) == {"awstats": 5}
    described = client.get("/stats/openapi.json").json
    assert described is not None
    jsonschema.validate(answer, described["components"]["schemas"]["Answer"])
    (source,) = [
        parameter
        for parameter in described["paths"]["/access-log-histogram"]["get"]["parameters"]
        if parameter["name"] == "source"
    ]
    assert not source["required"]


def test_clients_leave_out_or_choose_what_was_imported(client: FlaskClient) -> None:
    """By GET and by POST; without such rows an answer has the shape that clients know."""
    here = client.get(f"{HISTOGRAM}?source=&interval=year").json
    assert here is not None
    assert [bucket["value"] for bucket in here["buckets"]] == [3]
    assert "imported" not in json.dumps(here)
    params = {"source": ["awstats", ""], "path": "/a"}
    calls = {"both": {"stat": "access-log-terms", "params": params}}
    both = client.post("/stats", json=calls).json
    assert both is not None
    assert (both["both"]["value"], both["both"]["imported"]) == (7, {"awstats": 5})
    only = client.get(f"{HISTOGRAM}?source=awstats&interval=year").json
    assert only is not None
    assert [(each["value"], each["imported"]) for each in only["buckets"]] == [(5, {"awstats": 5})]
    assert client.get(f"{HISTOGRAM}?source=elsewhere").json["buckets"] == []  # type: ignore[index]
    calls["both"]["params"] = {"source": {}}
    refused = client.post("/stats", json=calls)
    assert refused.status_code == 400
    assert "'source'" in refused.text


def test_the_page_with_the_charts_says_what_was_imported(client: FlaskClient) -> None:
    """Below the bars or the ranking, and only where it is among them."""
    for name in ("access-log-histogram", "access-log-terms"):
        page = open_page(client, query=name)
        assert "5 of it was not counted here, but imported from awstats ." in page.text
        assert "imported" not in open_page(client, query=name, start_date="2016-01-01").text


def test_the_page_has_a_field_for_the_source(client: FlaskClient) -> None:
    """Filled in, it chooses rows; left empty it is no choice, as a browser sends every field."""
    for source, total in (("", "8"), ("awstats", "5")):
        page = open_page(client, query="access-log-histogram", interval="year", source=source)
        (field,) = page.having("input", name="source")
        assert field["value"] == source
        assert f"and the bytes sent {total} complete" in page.text
        assert ("2016 3" in page.text) == (not source)
        links = [link["href"] for link in page.having("a") if "format=json" in str(link["href"])]
        assert [f"source={source}" in str(link) for link in links] == [bool(source)]


def test_the_command_line_says_what_was_imported_and_what_is_counted_twice(
    client: FlaskClient, app: Flask, run: Run, run_json: RunJson
) -> None:
    """In answers, in the list of sources, and as a warning of the update that adds to them."""
    shown = run("query", "access-log-terms", "path=/a").stdout
    assert "imported:\n  awstats: 5\n" in shown
    assert run_json("query", "access-log-terms", "path=/a", "source=")["value"] == 2
    (entry,) = run_json("rows", "list")
    assert (entry["aggregation"], entry["source"], entry["rows"]) == (
        "access-log-agg",
        "awstats",
        1,
    )
    late = {"event_id": "1", "timestamp": "2010-01-01T12:00:00Z", "path": "/b"}
    Path("late").write_text(json.dumps(late))
    assert run("events", "import", "late", "--type", "access-log").exit_code == 0
    result = run("update", "-v")
    assert result.exit_code == 0
    assert "1 interval has imported rows as well (2010-01-01T00:00:00.000Z), which" in result.stderr
    assert "imported rows" not in run("update").stderr
    run("rows", "delete", "access-log-agg", "--source", "awstats")
    assert run_json("rows", "list") == []
