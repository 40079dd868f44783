"""What one request may cost, and what its answer may do to those who open it."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from stats_pipeline import DateHistogramQuery, TermsQuery, current_stats, dashboard
from stats_pipeline.errors import QueryError
from stats_pipeline.permissions import allow_everyone
from stats_pipeline.queries import date_histogram, parameters
from stats_pipeline.queries.reading import at_most
from stats_pipeline.rest import blueprint, problems, running
from stats_pipeline.rest.bodies import LARGEST_BODY_BYTES
from stats_pipeline.stores.sqlite import SqliteStore
from tests.queries.rows import RowsOfDownloads
from tests.support import E004_EVENTS, MakeApp


class Buckets:
    """A host's query that answers with as many nested buckets as it is asked for."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, outer: int, inner: int = 0) -> dict[str, Any]:
        """Answer."""
        nested = [{"key": number} for number in range(int(inner))]
        return {"buckets": [{"key": n, "buckets": nested} for n in range(int(outer))]}


class Echo:
    """A host's query whose columns and cells are a stranger's text."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, **params: Any) -> dict[str, Any]:
        """Answer with what it is asked."""
        return params


QUERIES = {
    name: {"query_class": query_class, "permission": allow_everyone}
    for name, query_class in (("buckets", Buckets), ("echo", Echo))
}


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    """Give a client of an app with these queries and those of file-download."""
    return make_app("sqlite://", STATS_QUERIES=QUERIES).test_client()


def problem(response: Any, status: int) -> dict[str, Any]:
    """Return the problem that an answer is."""
    assert response.status_code == status, response.text[:500]
    body: dict[str, Any] = response.get_json(force=True)
    assert body["detail"]
    return body


@pytest.mark.timeout(30)
def test_a_key_that_is_there_twice_is_found_in_no_time(client: FlaskClient) -> None:
    """Looked for key by key, a body of the largest size would keep the process busy for minutes."""
    keys = [*(f'"{number}": 1' for number in range(75_000)), '"74999": 2']
    body = f"{{{', '.join(keys)}}}"
    assert len(body) <= LARGEST_BODY_BYTES
    refused = client.post("/stats", data=body, content_type="application/json")
    assert "the key '74999' is there twice" in problem(refused, 400)["detail"]


def test_the_buckets_of_all_answers_together_are_bounded(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nested ones count; the refusal says what to do."""
    monkeypatch.setattr(running, "MOST_BUCKETS", 100)
    call = {"stat": "buckets", "params": {"outer": 5, "inner": 9}}
    assert client.post("/stats", json={"a": call, "b": call}).status_code == 200
    refused = client.post("/stats", json={"a": call, "b": call, "c": call})
    assert "ask for fewer queries" in problem(refused, 413)["detail"]
    assert problem(client.get("/stats/buckets?outer=101"), 413)


def test_terms_stop_where_a_request_gives_no_more_and_size_is_the_way_out(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one query has taken is missing for the next; the page of charts goes without."""
    monkeypatch.setattr(running, "MOST_BUCKETS", 3)
    monkeypatch.setattr(dashboard, "MOST_BUCKETS", 1)
    app = make_app("sqlite://")
    with app.app_context():
        current_stats.publish("file-download", E004_EVENTS)
        current_stats.process_events()
        current_stats.update()
        assert len(current_stats.query("bucket-file-download-total", bucket_id=20)["buckets"]) == 2
    client = app.test_client()
    call = {"stat": "bucket-file-download-total", "params": {"bucket_id": 20}}
    assert client.post("/stats", json={"a": call}).status_code == 200
    refused = problem(client.post("/stats", json={"a": call, "b": call}), 400)
    assert (refused["label"], refused["parameter"]) == ("b", "size")
    call["params"] = {"bucket_id": 20, "size": 1}
    answers = client.post("/stats", json={"a": call, "b": call, "c": call}).get_json()
    assert [len(answer["buckets"]) for answer in answers.values()] == [1, 1, 1]
    page = client.get("/stats/dashboard?bucket_id=20&file_key=file1.txt")
    assert page.status_code == 200


def test_a_request_begins_no_query_after_its_time_is_up(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred slow queries don't hold a thread of the server for hours."""
    monkeypatch.setattr(running, "MOST_SECONDS", -1)
    refused = client.post("/stats", json={"a": {"stat": "echo"}, "b": {"stat": "echo"}})
    assert "0 of 2 queries" in problem(refused, 413)["detail"]


@pytest.mark.parametrize("interval", ["hour", "day"])
def test_a_histogram_over_centuries_is_refused_before_it_is_made(
    client: FlaskClient, interval: str
) -> None:
    """With zeros for every hour of eleven hundred years it would be ten million buckets."""
    params = {"bucket_id": "1", "file_key": "1", "zero_fill": "true", "interval": interval}
    params |= {"start_date": "1900-01-01", "end_date": "2999-12-31"}
    answer = client.get("/stats/bucket-file-download-histogram", query_string=params)
    assert problem(answer, 400)["parameter"] == "interval"


def test_too_many_values_of_a_field_are_refused(
    embedded_downloads: RowsOfDownloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terms, and hits of a histogram, are counted while they come in."""
    embedded_downloads.write(
        *({"timestamp": f"2016-12-{day:02}", "file_key": f"f{day}"} for day in range(1, 6))
    )
    monkeypatch.setattr(date_histogram, "MOST_BUCKETS", 4)
    by_file = TermsQuery("t", index="stats-file-download", aggregated_fields=["file_key"])
    with at_most(4), pytest.raises(QueryError, match="ask for the highest of them by 'size'"):
        embedded_downloads.run(by_file)
    with at_most(4):
        assert len(embedded_downloads.run(by_file, size=4)["buckets"]) == 4
    assert len(embedded_downloads.run(by_file)["buckets"]) == 5
    by_day = DateHistogramQuery("h", index="stats-file-download")
    with pytest.raises(QueryError, match=r"more than 4 buckets of one day"):
        embedded_downloads.run(by_day)
    assert len(embedded_downloads.run(by_day, interval="month")["buckets"]) == 1


@pytest.fixture
def embedded_downloads(tmp_path: Path, index_prefix: str) -> Iterator[RowsOfDownloads]:
    """Give rows in a SQLite file."""
    store = SqliteStore(tmp_path / "rows.db")
    yield RowsOfDownloads(store, index_prefix)
    store.close()


def test_the_parameters_of_an_address_are_bounded(client: FlaskClient) -> None:
    """By length as a whole, and by number where a filter takes any of them."""
    long = "x" * blueprint.LONGEST_QUERY_STRING_BYTES
    assert "POST" in problem(client.get(f"/stats/echo?x={long}"), 414)["detail"]
    assert client.get(f"/stats/dashboard?x={long}").status_code == 414
    many = "&".join(["file_key=x"] * (parameters.MOST_FILTER_VALUES + 1))
    answer = client.get(f"/stats/bucket-file-download-histogram?bucket_id=1&{many}")
    assert problem(answer, 400)["parameter"] == "file_key"


@pytest.mark.parametrize(
    "call",
    [
        {"stat": "x" * 500_000},
        {"stat": "echo", "params": {"x" * 500_000: "y" * 400_000, "self": 1}},
        {"stat": "bucket-file-download-histogram", "params": {"y" * 500_000: 1}},
        {"stat": "bucket-file-download-histogram", "params": {"bucket_id": ["z" * 500_000, []]}},
    ],
)
def test_a_refusal_is_short_whatever_it_refuses(client: FlaskClient, call: dict[str, Any]) -> None:
    """It shows the beginning of a label, a name or a value, and never all of it."""
    answer = client.post("/stats", json={"l" * 100_000: call})
    body = problem(answer, 400)
    assert len(body["label"]) <= problems.LONGEST_LABEL
    assert len(answer.data) < 5_000


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_cell_of_csv_is_a_formula(client: FlaskClient, start: str) -> None:
    """Neither a value, nor a column's name, nor a label; numbers stay numbers."""
    formula = f"{start}cmd|' /C calc'!A0"
    call = {"stat": "echo", "params": {formula: formula, "number": -4.5}}
    text = client.post("/stats?format=csv", json={formula: call}).text
    rows = list(csv.reader(text.splitlines(keepends=True)))
    cells = [cell for row in rows for cell in row]
    assert cells.count(f"'{formula}") == 3
    assert "-4.5" in cells


@pytest.mark.parametrize("form", ["html", "text", "json"])
def test_markup_and_orders_in_an_answer_are_text(client: FlaskClient, form: str) -> None:
    """Also where a stranger's text is a label or the name of a column."""
    hostile = "<script>alert(1)</script>\"'\x1b[2J"
    call = {"stat": "echo", "params": {hostile: hostile}}
    answer = client.post(f"/stats?format={form}", json={hostile: call})
    assert answer.status_code == 200
    assert ("<script>" if form == "html" else "\x1b") not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_shows_what_it_is_given_as_text(client: FlaskClient) -> None:
    """A form that is sent back with what was wrong in it."""
    hostile = {"query": "bucket-file-download-histogram", "bucket_id": "1", "file_key": "1"}
    hostile |= {"start_date": '"><script>alert(1)</script>'}
    answer = client.get("/stats/dashboard", query_string=hostile)
    assert answer.status_code == 400
    assert "<script>" not in answer.text


def test_a_host_may_make_the_limit_of_a_body_smaller(make_app: MakeApp) -> None:
    """Flask's own setting holds for the API as well."""
    app: Flask = make_app("sqlite://")
    app.config["MAX_CONTENT_LENGTH"] = 100
    answer = app.test_client().post("/stats", data=b" " * 101, content_type="application/json")
    assert answer.status_code == 413
