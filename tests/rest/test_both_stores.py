"""The cases of the REST API that read or refuse what is counted, on both stores."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.rest.conftest import ON_BOTH_STORES
from tests.rest.host import FRESH
from tests.rest.test_posting import problem

pytestmark = ON_BOTH_STORES

U1, U2 = {"X-User": "u1"}, {"X-User": "u2"}
MYSTAT: dict[str, Any] = {
    "stat": "bucket-file-download-histogram",
    "params": {
        "start_date": "2016-12-18",
        "end_date": "2016-12-19",
        "interval": "day",
        "bucket_id": 20,
        "file_key": "file1.txt",
    },
}


def asking(**changed: Any) -> dict[str, Any]:
    """Return `mystat` with other parameters; None leaves one out."""
    params = {**MYSTAT["params"], **changed}
    given = {name: value for name, value in params.items() if value is not None}
    return {**MYSTAT, "params": given}


@pytest.mark.parametrize("path", ["/stats", "/stats/"])
def test_A004_51_E004_labelled_queries_come_back_under_their_labels(
    client: FlaskClient, path: str
) -> None:
    """The original's example has its very numbers, with and without a slash at the end."""
    response = client.post(path, json={"mystat": MYSTAT, "ratio": {"stat": "ratio"}})
    assert response.status_code == 200
    assert response.json is not None
    assert response.json["ratio"] == {"value": 100, "as_of": None}
    mystat = response.json["mystat"]
    copied = {"bucket_id": "20", "file_key": "file1.txt"}
    assert [{"date": b["date"], "value": b["value"]} for b in mystat["buckets"]] == [
        {"date": "2016-12-18T00:00:00.000Z", "value": 4.0},
        {"date": "2016-12-19T00:00:00.000Z", "value": 1.0},
    ]
    assert all(copied.items() <= bucket.items() for bucket in mystat["buckets"])
    assert mystat["as_of"].endswith("Z")


def test_A004_53_a_missing_filter_is_400_with_query_and_parameter(client: FlaskClient) -> None:
    """Without file_key `mystat` is refused, naming what it requires."""
    body = problem(client.post("/stats", json={"mystat": asking(file_key=None)}), 400)
    assert body["parameter"] == "file_key"
    assert "bucket-file-download-histogram" in body["message"]


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("interval", "hour", "day, week, month, quarter, year"),
        ("interval", "fortnight", "day, week, month, quarter, year"),
        ("start_date", "may", "ISO 8601"),
        ("end_date", "2016-12-32", "ISO 8601"),
    ],
)
def test_A004_54_A004_55_an_interval_or_date_that_is_none_is_400(
    client: FlaskClient, parameter: str, value: str, allowed: str
) -> None:
    """With what it may be; `mystat` works without it, for then there is a default."""
    body = problem(client.post("/stats", json={"mystat": asking(**{parameter: value})}), 400)
    assert body["parameter"] == parameter
    assert allowed in body["message"]


def test_A004_58_A004_60_one_unknown_statistic_fails_the_whole_request(
    client: FlaskClient,
) -> None:
    """The message has the words that clients know, and says which label it was."""
    calls = {"good": {"stat": "ratio"}, "bad": {"stat": "nope"}}
    body = problem(client.post("/stats", json=calls), 400)
    assert body["message"].startswith("Unknown statistic 'nope'")
    assert body["label"] == "bad"


def test_A004_60_nothing_is_run_before_everything_is_checked(client: FlaskClient) -> None:
    """A bad parameter of the last query wins over a crash that the first would have."""
    bad = {"stat": "bucket-file-download-total", "params": {"bucket_id": "20", "end_date": "may"}}
    body = problem(client.post("/stats", json={"1": {"stat": "crash"}, "2": bad}), 400)
    assert (body["parameter"], body["label"]) == ("end_date", "2")


def test_A004_61_where_nothing_was_counted_the_answer_has_its_full_shape(
    client: FlaskClient,
) -> None:
    """200 where no view was ever counted, and there is no index, as for an unknown bucket."""
    record = {"pid_type": "recid", "pid_value": "1"}
    calls = {
        "views by day": {"stat": "record-view-histogram", "params": record},
        "views": {"stat": "record-view-total", "params": record},
        "file by day": asking(bucket_id="21"),
        "files": {"stat": "bucket-file-download-total", "params": {"bucket_id": "21"}},
    }
    response = client.post("/stats", json=calls)
    assert response.status_code == 200
    answers: dict[str, Any] = response.get_json()
    assert all(answer.pop("as_of").endswith("Z") for answer in answers.values())
    nothing = {"start_date": None, "end_date": None}
    by_day = {"type": "bucket", "key_type": "date", "interval": "day", "buckets": []}
    asked = {"start_date": "2016-12-18T00:00:00.000Z", "end_date": "2016-12-20T00:00:00.000Z"}
    terms = {"type": "bucket", "key_type": "terms", "field": "file_key", "buckets": []}
    assert answers == {
        "views by day": {**nothing, **by_day},
        "views": {**nothing, "value": 0.0},
        "file by day": {**asked, **by_day},
        "files": {**nothing, **terms, "value": 0.0, "volume": 0.0},
    }


def test_B30_a_hosts_own_class_answers_in_any_shape(client: FlaskClient) -> None:
    """It gets any parameters that it takes; a dict gets `as_of`, all else passes as it is."""
    calls = {
        "value": {"stat": "ratio"},
        "fresh": {"stat": "fresh"},
        "list": {"stat": "list"},
        "zero": {"stat": "zero"},
        "echo": {"stat": "echo", "params": {"name": [2], "format": "csv"}},
    }
    assert client.post("/stats", json=calls).json == {
        "value": {"value": 100, "as_of": None},
        "fresh": FRESH,
        "list": [1, "two", None],
        "zero": 0,
        "echo": {"name": [2], "format": "csv", "as_of": None},
    }


def test_A004_59_B31_the_permission_gets_name_and_params_and_decides(client: FlaskClient) -> None:
    """The allowed user gets an answer, another one 403, an anonymous caller 401."""
    call = {"a": {"stat": "own", "params": {"bucket_id": 20}}}
    assert client.post("/stats", json=call, headers=U1).json == {
        "a": {"bucket_id": 20, "as_of": None}
    }
    assert "'own'" in problem(client.post("/stats", json=call, headers=U2), 403)["message"]
    assert "'own'" in problem(client.post("/stats", json=call), 401)["message"]
    other = {"a": {"stat": "own", "params": {"bucket_id": 21}}}
    problem(client.post("/stats", json=other, headers=U1), 403)


def test_A004_59_each_ready_permission_does_what_it_says(client: FlaskClient) -> None:
    """Everyone, known callers only, nobody."""
    assert client.get("/stats/ratio").status_code == 200
    problem(client.get("/stats/members"), 401)
    assert client.get("/stats/members", headers=U2).status_code == 200
    problem(client.get("/stats/secret"), 401)
    assert "'secret'" in problem(client.get("/stats/secret", headers=U1), 403)["message"]
