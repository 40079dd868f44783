"""GET: one query by its address, the list of queries, and their description."""

from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rest.test_posting import problem

TOTAL = "/stats/bucket-file-download-total"


def test_a_query_is_answered_with_the_parameters_of_the_url(client: FlaskClient) -> None:
    """The same answer as by POST."""
    params = {"bucket_id": "20", "file_key": "file1.txt", "interval": "week"}
    got = client.get("/stats/bucket-file-download-histogram", query_string=params).json
    call = {"stat": "bucket-file-download-histogram", "params": params}
    assert got == client.post("/stats", json={"a": call}).get_json()["a"]
    assert got is not None
    assert [b["value"] for b in got["buckets"]] == [4.0, 1.0]


def test_a_slash_at_the_end_changes_nothing(client: FlaskClient) -> None:
    """Neither for a query that is there nor in what is said of one that is not."""
    answer = client.get(f"{TOTAL}/?bucket_id=20").json
    assert answer == client.get(f"{TOTAL}?bucket_id=20").json
    assert answer is not None
    assert answer["value"] == 6.0
    assert "'nope'" in problem(client.get("/stats/nope/"), 404)["message"]


def test_an_offset_whose_plus_has_become_a_blank_is_explained(client: FlaskClient) -> None:
    """The most likely mistake in an address, which nobody sees in the message otherwise."""
    lost = f"{TOTAL}?bucket_id=20&start_date=2016-12-18T10:00:00+01:00"
    assert problem(client.get(lost), 400)["message"].endswith("write + as %2B in an address")
    kept = lost.replace("+", "%2B")
    answer = client.get(kept).json
    assert answer is not None
    assert answer["start_date"] == "2016-12-18T09:00:00.000Z"
    other = problem(client.get(f"{TOTAL}?bucket_id=20&start_date=2016-12-18T10:00%201"), 400)
    assert "%2B" not in other["message"]


def test_a_repeated_parameter_is_a_list_and_format_is_none(client: FlaskClient) -> None:
    """Two values of one name are any of them; `format` never reaches the query."""
    answer = client.get("/stats/echo?a=1&a=2&b=x&format=json").json
    assert answer == {"a": ["1", "2"], "b": "x", "as_of": None}


def test_an_unknown_query_is_404(client: FlaskClient) -> None:
    """By GET the name is the address, so what isn't there isn't found; slashes don't matter."""
    assert "'nope'" in problem(client.get("/stats/nope"), 404)["message"]
    assert "'a/b'" in problem(client.get("/stats/a/b"), 404)["message"]


def test_an_unknown_name_gives_no_other_name_away(client: FlaskClient) -> None:
    """The names of queries that the caller may not run stay unknown to it."""
    assert "'secret'" not in problem(client.get("/stats/secret1"), 404)["message"]


@pytest.mark.parametrize(
    ("query_string", "parameter"),
    [
        ("bucket_id=20&bukket=1", "bukket"),
        ("", "bucket_id"),
        ("bucket_id=20&start_date=may", "start_date"),
        ("bucket_id=20&end_date=2016-12-18&end_date=2016-12-19", "end_date"),
    ],
)
def test_D17_a_wrong_parameter_is_400_and_named(
    client: FlaskClient, query_string: str, parameter: str
) -> None:
    """Unknown, missing or unreadable: the parameter is named, with what is allowed."""
    assert problem(client.get(f"{TOTAL}?{query_string}"), 400)["parameter"] == parameter


@given(params=st.dictionaries(st.text(min_size=1), st.text() | st.lists(st.text(), max_size=3)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_parameters_give_a_500(app: Flask, params: dict[str, Any]) -> None:
    """Whatever the URL says: an answer or a 4xx."""
    params = {name.encode(errors="replace"): _sent(value) for name, value in params.items()}  # type: ignore[misc]
    for path in (TOTAL, "/stats/echo", "/stats/", "/stats/dashboard"):
        response = app.test_client().get(path, query_string=params)
        assert response.status_code in (200, 400), response.text


def test_the_list_describes_each_query(client: FlaskClient) -> None:
    """Name, description and parameters, as a person or a program needs them."""
    queries = {q["name"]: q for q in client.get("/stats/").json["queries"]}  # type: ignore[index]
    described = queries["bucket-file-download-histogram"]
    assert described.keys() == {"name", "description", "parameters"}
    parameters = {parameter["name"]: parameter for parameter in described["parameters"]}
    assert parameters["bucket_id"]["required"] is True
    assert "week" in parameters["interval"]["allowed"]


def test_the_openapi_document_describes_each_listed_query(client: FlaskClient) -> None:
    """Every listed query has its path and parameters; all references and schemas hold."""
    document: dict[str, Any] = client.get("/stats/openapi.json").json  # type: ignore[assignment]
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "/stats"}]
    listed = client.get("/stats/").json["queries"]  # type: ignore[index]
    assert document["paths"].keys() == {"/", *(f"/{query['name']}" for query in listed)}
    histogram = document["paths"]["/bucket-file-download-histogram"]["get"]
    required = {p["name"] for p in histogram["parameters"] if p.get("required")}
    assert required == {"bucket_id", "file_key"}
    total = document["paths"]["/bucket-file-download-total"]["get"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in total["parameters"]}
    assert schemas["size"] == {"type": "integer", "minimum": 1}
    for schema in _schemas(document):
        if "$ref" in schema:
            assert (
                schema["$ref"].removeprefix("#/components/schemas/")
                in (document["components"]["schemas"])
            )
        jsonschema.Draft202012Validator.check_schema(schema)


def _schemas(node: Any) -> list[Any]:
    if isinstance(node, list):
        return [schema for part in node for schema in _schemas(part)]
    if not isinstance(node, dict):
        return []
    own = [node["schema"]] if "schema" in node else []
    return own + [schema for part in node.values() for schema in _schemas(part)]


def _sent(value: Any) -> Any:
    if isinstance(value, list):
        return [_sent(one) for one in value]
    return value.encode(errors="replace")
