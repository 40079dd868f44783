"""POST /stats: several labelled queries in one body."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats_pipeline.rest.bodies import LARGEST_BODY_BYTES, MOST_CALLS

#: Names that mean something, so that odd bodies also get behind the first check.
WORDS = st.sampled_from(
    [
        *("stat", "params", "ratio", "echo", "bucket-file-download-total", "start_date"),
        *("bucket_id", "interval", "self", "name", "2016-12-18", "day", "may"),
    ]
)
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text() | WORDS, v, max_size=4),
    max_leaves=12,
)
CALLS = st.dictionaries(
    st.text(),
    st.fixed_dictionaries({"stat": WORDS}, optional={"params": BODIES}),
    max_size=3,
)


def problem(response: Any, status: int) -> dict[str, Any]:
    """Return the problem that the response is; its parts must agree."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = response.get_json(force=True)
    assert body["status"] == status
    assert body["message"] == body["detail"] != ""
    assert {"type", "title"} <= body.keys()
    return body


@pytest.mark.parametrize("body", ["{}", "null", " {} "])
def test_no_query_is_no_answer(client: FlaskClient, body: str) -> None:
    """An empty object and null are 200 with an empty object."""
    response = client.post("/stats", data=body, content_type="application/json")
    assert (response.status_code, response.json) == (200, {})


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        '"text"',
        "7",
        '{"a": null}',
        '{"a": "ratio"}',
        '{"a": {}}',
        '{"a": {"params": {}}}',
        '{"a": {"stat": "ratio", "parameters": {}}}',
        '{"a": {"stat": "ratio", "params": {}, "start_date": "2016-12-18"}}',
    ],
)
def test_A004_51_a_body_of_another_shape_is_400_with_the_expected_form(
    client: FlaskClient, body: str
) -> None:
    """What is JSON of another shape is refused as a whole, saying how it should look."""
    refused = problem(client.post("/stats", data=body, content_type="application/json"), 400)
    assert '{"<label>": {"stat": "<query name>", "params": {...}}, ...}' in refused["message"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not JSON"),
        ("stat", "not JSON"),
        ('{"a": {"stat": 7}}', "'stat' must be text"),
        ('{"a": {"stat": ["ratio"]}}', "'stat' must be text"),
        ('{"a": {"stat": "ratio", "params": null}}', "'params' must be an object"),
        ('{"a": {"stat": "ratio", "params": []}}', "'params' must be an object"),
        ('{"a": {"stat": "ratio"}, "a": {"stat": "ratio"}}', "'a' is there twice"),
        ('{"a": {"stat": "echo", "params": {"x": NaN}}}', "NaN is not a JSON value"),
        ('{"a": {"stat": "echo", "params": {"x": %s}}}' % ("9" * 5_000), "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        (b"\xff\xfe\xfa", "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
    ],
)
def test_A004_51_a_body_that_can_not_be_meant_is_400_with_the_reason(
    client: FlaskClient, body: str | bytes, reason: str
) -> None:
    """What is no JSON, or has a value of another kind, is refused as a whole."""
    refused = problem(client.post("/stats", data=body, content_type="application/json"), 400)
    assert reason in refused["message"]


@pytest.mark.parametrize("call", [None, "ratio", {}, {"stat": "ratio", "extra": 1}])
def test_a_label_of_another_shape_is_refused_in_the_words_that_clients_know(
    client: FlaskClient, call: Any
) -> None:
    """With the label, and with the expected form (peer.md, section 1)."""
    message = problem(client.post("/stats", json={"mine": call}), 400)["message"]
    assert message.startswith("Invalid Input in 'mine': expected ")
    assert '"stat": "<query name>"' in message


@given(body=BODIES | CALLS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_body_gives_a_500(app: Flask, body: Any) -> None:
    """Whatever JSON is sent, even what JSON doesn't allow: an answer or a 4xx."""
    text = json.dumps(body)
    response = app.test_client().post("/stats", data=text, content_type="application/json")
    assert response.status_code in (200, 400), response.text


@given(raw=st.binary())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_give_a_500(app: Flask, raw: bytes) -> None:
    """Whatever bytes are sent as JSON: an answer or a 4xx."""
    response = app.test_client().post("/stats", data=raw, content_type="application/json")
    assert response.status_code in (200, 400), response.text


def test_a_parameter_called_self_is_unknown_to_a_hosts_class(client: FlaskClient) -> None:
    """`run(self, **params)` would be given `self` twice, so it is refused before."""
    call = {"a": {"stat": "echo", "params": {"self": 1}}}
    assert problem(client.post("/stats", json=call), 400)["parameter"] == "self"


@pytest.mark.parametrize("stat", ["crash", "object", "nan", "misconfigured"])
def test_a_fault_of_a_hosts_class_is_a_problem_with_a_line_in_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, stat: str
) -> None:
    """A crash, an answer that is no JSON, a wrong definition: 500 without detail, and logged."""
    body = problem(client.post("/stats", json={"a": {"stat": stat}}), 500)
    assert "private" not in body["message"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("stat", ["outage", "partial"])
def test_a_store_that_does_not_answer_is_503_with_a_time_to_try_again(
    client: FlaskClient, stat: str
) -> None:
    """An outage is temporary, said so, and gives no address away."""
    response = client.post("/stats", json={"a": {"stat": stat}})
    assert "secret" not in problem(response, 503)["message"]
    assert int(response.headers["Retry-After"]) > 0


def test_too_much_is_413(client: FlaskClient) -> None:
    """A large body and too many queries are refused before anything is done."""
    large = b" " * (LARGEST_BODY_BYTES + 1)
    problem(client.post("/stats", data=large, content_type="application/json"), 413)
    many = {str(number): {"stat": "ratio"} for number in range(MOST_CALLS + 1)}
    assert str(MOST_CALLS) in problem(client.post("/stats", json=many), 413)["message"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_415(client: FlaskClient, content_type: str) -> None:
    """Only what is declared as JSON is read."""
    problem(client.post("/stats", data="{}", content_type=content_type), 415)


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/stats"), ("DELETE", "/stats/"), ("POST", "/stats/ratio")]
)
def test_another_method_is_405_with_those_that_work(
    client: FlaskClient, method: str, path: str
) -> None:
    """A wrong method is a problem too, and names the right ones."""
    response = client.open(path, method=method)
    problem(response, 405)
    assert "GET" in response.headers["Allow"]
    assert method not in response.headers["Allow"]
    assert client.options(path).headers["Allow"] == response.headers["Allow"]
