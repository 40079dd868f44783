"""The form of an answer: JSON, CSV, an HTML table, or text."""

import csv
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient

from stats_pipeline.cli import stats
from tests.rest.test_posting import problem

HISTOGRAM = "/stats/bucket-file-download-histogram?bucket_id=20&file_key=file1.txt"
VISITORS = "/stats/visitors?bucket_id=20"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("json", "application/json"),
        ("csv", "text/csv"),
        ("html", "text/html"),
        ("text", "text/plain"),
    ],
)
def test_format_and_accept_choose_the_same_forms(
    client: FlaskClient, name: str, media_type: str
) -> None:
    """Both ways give the same bytes of the same type."""
    by_format = client.get(f"{HISTOGRAM}&format={name}", headers={"Accept": "*/*"})
    by_accept = client.get(HISTOGRAM, headers={"Accept": f"{media_type}, */*;q=0.1"})
    assert by_format.mimetype == by_accept.mimetype == media_type
    assert by_format.data == by_accept.data
    assert "Accept" in by_accept.headers["Vary"]


def test_json_is_the_default_and_nothing_else_is_406(client: FlaskClient) -> None:
    """Without a wish it is JSON; what can't be given is refused with what can."""
    assert client.get(HISTOGRAM).mimetype == "application/json"
    response = client.get(HISTOGRAM, headers={"Accept": "image/png"})
    assert "text/csv" in problem(response, 406)["message"]
    assert "csv" in problem(client.get(f"{HISTOGRAM}&format=xml"), 400)["message"]


def test_csv_has_one_line_for_each_bucket(client: FlaskClient) -> None:
    """Names first, then the buckets of a histogram, whole numbers without a point."""
    rows = list(csv.DictReader(client.get(f"{HISTOGRAM}&format=csv").text.splitlines()))
    assert [(row["date"], row["value"], row["file_key"]) for row in rows] == [
        ("2016-12-18T00:00:00.000Z", "4", "file1.txt"),
        ("2016-12-19T00:00:00.000Z", "1", "file1.txt"),
    ]


def test_several_queries_make_one_table_with_their_labels(client: FlaskClient) -> None:
    """Terms have a column named like their field, and each line says which query it is of."""
    calls = {
        "all": {"stat": "bucket-file-download-total", "params": {"bucket_id": "20"}},
        "one": {"stat": "ratio"},
    }
    rows = list(csv.DictReader(client.post("/stats?format=csv", json=calls).text.splitlines()))
    assert [(row["label"], row["file_key"], row["value"]) for row in rows] == [
        ("all", "file1.txt", "5"),
        ("all", "file2.txt", "1"),
        ("one", "", "100"),
    ]


@pytest.mark.parametrize("name", ["csv", "html", "text"])
def test_labels_have_their_column_for_themselves(client: FlaskClient, name: str) -> None:
    """A copied field of that name stands beside them under another one, also of empty buckets."""
    params = {"file_key": "file1.txt", "start_date": "2016-12-17", "zero_fill": True}
    calls = {"mine": {"stat": "by-label", "params": params}, "other": {"stat": "list"}}
    text = client.post(f"/stats?format={name}", json=calls).text
    if name != "csv":
        assert text.index("label_") < text.index("label__") < text.index("mine")
        return
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["label"], row["label_"], row["label__"], row["value"]) for row in rows] == [
        ("mine", "", "", "0"),
        ("mine", "file1.txt", "20", "4"),
        ("mine", "file1.txt", "20", "1"),
        ("other", "", "", '[1, "two", null]'),
    ]
    alone = client.get("/stats/by-label?file_key=file1.txt&format=csv").text
    assert alone.splitlines()[0] == "date,value,visits,label,label_"


NOTHING = {"start_date": "1999-01-01", "end_date": "1999-01-02"}
NEEDED = {"by-label": {"file_key": "file1.txt"}, "by-number": {"item": "20_f-1"}}
COLUMNS = {
    "by-label": ["date", "value", "visits", "label", "label_"],
    "by-file": ["bucket_id", "file_key", "value", "copied", "annotations"],
    "by-number": ["file_key_", "value", "file_key"],
    "access-log-terms": ["path", "value", "volume"],
}


@pytest.mark.parametrize("name", ["csv", "html", "text"])
@pytest.mark.parametrize("query", COLUMNS)
def test_an_answer_without_buckets_has_the_columns_that_it_would_have(
    client: FlaskClient, query: str, name: str
) -> None:
    """A003-46, A003-48: who reads columns by name finds them on an empty day, too."""
    asked = {**NEEDED.get(query, {}), "format": name}
    text = client.get(f"/stats/{query}", query_string={**asked, **NOTHING}).text
    assert all(column in text for column in COLUMNS[query])
    if name == "csv":
        assert text.splitlines() == [",".join(COLUMNS[query])]
        header, *lines = client.get(f"/stats/{query}", query_string=asked).text.splitlines()
        assert header.split(",")[: len(COLUMNS[query])] == COLUMNS[query]
        assert bool(lines) == (query != "access-log-terms")


def test_several_answers_without_buckets_have_the_columns_of_all(client: FlaskClient) -> None:
    """Beside those of the answers that have some, in the order of the labels."""
    calls: dict[str, Any] = {
        "none": {"stat": "access-log-histogram"},
        "terms": {"stat": "access-log-terms"},
        "one": {"stat": "ratio"},
    }
    lines = client.post("/stats?format=csv", json=calls).text.splitlines()
    assert lines[0].startswith("label,date,value,volume,path")
    assert len(lines) == 2
    assert client.post("/stats?format=csv", json={}).text.splitlines() == ["label"]


def test_a_hosts_answer_may_have_numbers_as_names(client: FlaskClient) -> None:
    """In a table as in JSON they are text."""
    lines = client.get("/stats/numbered?format=csv").text.splitlines()
    assert lines[0].startswith("1,two")


def test_buckets_of_a_hosts_class_keep_all_their_columns(client: FlaskClient) -> None:
    """The key, also where no `field` says what it is, and what is called like parts of ours."""
    text = client.get("/stats/docks?format=csv").text
    assert text.splitlines() == ["key,type,free", "Harbour,sea,0"]
    text = client.get("/stats/asked?format=csv").text
    assert text.splitlines()[0] == "queries,as_of"


def test_times_and_decimals_of_a_database_have_one_form(client: FlaskClient, app: Flask) -> None:
    """ISO 8601 in UTC and numbers: in JSON, in tables and on the command line."""
    noon = {"at": "2026-01-01T11:00:00.000Z", "naive": "2026-01-01T12:00:00.000Z"}
    answer = client.get("/stats/bills").json
    assert answer is not None
    bill = {"key": "2026-01-01", **noon, "price": 1.5, "parts": [1, 2.0]}
    assert answer["buckets"] == [bill]
    header, line = csv.reader(client.get("/stats/bills?format=csv").text.splitlines())
    cells = ["2026-01-01", *noon.values(), "1.5", "[1, 2.0]"]
    assert (header, line) == (list(bill), cells)
    result = app.test_cli_runner().invoke(stats, ["query", "bills"])
    assert result.stdout.splitlines()[-1].split(maxsplit=4) == cells


def test_what_strangers_sent_does_no_harm_in_any_form(client: FlaskClient) -> None:
    """Formulas, terminal escapes, markup and broken text come out as text; numbers stay numbers."""
    in_csv = next(csv.DictReader(client.get("/stats/hostile?format=csv").text.splitlines()))
    assert in_csv["path"].startswith("'=cmd()")
    assert in_csv["delta"] == "-4"
    in_text = client.get("/stats/hostile?format=text").text
    assert "\x1b" not in in_text
    in_html = client.get("/stats/hostile?format=html")
    assert "<script>" not in in_html.text
    assert "'none'" in in_html.headers["Content-Security-Policy"]
    assert client.get("/stats/hostile").json["path"].endswith("\ud800")  # type: ignore[index]


@pytest.mark.parametrize("name", ["csv", "html", "text"])
@pytest.mark.parametrize("path", ["/stats/list", "/stats/", "/stats/access-log-histogram"])
def test_every_answer_has_every_form(client: FlaskClient, name: str, path: str) -> None:
    """Answers of hosts' classes, the list of queries and empty answers have a table, too."""
    response = client.get(path, query_string={"format": name})
    assert response.status_code == 200
    assert response.data


def test_text_is_aligned_for_people(client: FlaskClient) -> None:
    """Columns stand below each other."""
    lines = client.get(f"{HISTOGRAM}&format=text").text.splitlines()
    assert lines[0].index("value") == lines[1].index("4") == lines[2].index("1", 24)


def test_every_form_says_which_numbers_are_approximate(client: FlaskClient) -> None:
    """JSON once for the answer, tables in each line, and OpenAPI what it means."""
    by_day = client.get(VISITORS).json
    assert by_day is not None
    assert by_day["approximate"] == {"value": {"bound": 0.02}}
    assert [bucket["value"] for bucket in by_day["buckets"]] == [2, 1]
    rows = list(csv.DictReader(client.get(f"{VISITORS}&format=csv").text.splitlines()))
    assert [row["approximate"] for row in rows] == ['{"value": {"bound": 0.02}}'] * 2
    for name in ("html", "text"):
        assert "bound" in client.get(f"{VISITORS}&format={name}").text
    document = client.get("/stats/openapi.json").json
    assert document is not None
    jsonschema.validate(by_day, document["components"]["schemas"]["Answer"])


def test_D10_visitors_beyond_the_salt_window_are_400(client: FlaskClient) -> None:
    """The problem names the parameter and what is allowed; by GET and inside a POST."""
    params = {"bucket_id": "20", "interval": "month"}
    by_get = problem(client.get(f"{VISITORS}&interval=month"), 400)
    calls = {"v": {"stat": "visitors", "params": params}}
    for found in (by_get, problem(client.post("/stats", json=calls), 400)):
        assert found["parameter"] == "interval"
        assert "other ids in each day of UTC (salt_window)" in found["detail"]
        assert found["detail"].endswith("intervals: day")
