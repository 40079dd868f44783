"""Who may run what: 401 for anonymous callers, 403 for known ones."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from stats_pipeline.permissions import allow_everyone, authenticated, current_identity, deny_all
from tests.rest.host import make_app
from tests.rest.test_posting import problem

U1 = {"X-User": "u1"}


@pytest.mark.parametrize("name", ["need", "later", "text", "one", "none"])
def test_a_permission_that_says_neither_yes_nor_no_lets_nobody_in(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """That is the host's mistake: 500 for known callers as well, and the log names the query."""
    problem(client.get(f"/stats/{name}", headers=U1), 500)
    problem(client.post("/stats", json={"a": {"stat": name}, "b": {"stat": "ratio"}}), 500)
    said = f"query '{name}' of the host's STATS_QUERIES: its permission returned a "
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert all(said in record.getMessage() for record in caplog.records)
    listed = client.get("/stats", headers=U1).json
    assert listed is not None
    assert name not in {query["name"] for query in listed["queries"]}


def test_A004_60_one_refused_query_fails_the_whole_request(client: FlaskClient) -> None:
    """Nothing partial: the permitted query isn't answered either."""
    calls = {"a": {"stat": "ratio"}, "b": {"stat": "secret"}}
    assert problem(client.post("/stats", json=calls), 401)["label"] == "b"


def test_the_list_has_what_the_caller_may_run(client: FlaskClient) -> None:
    """Queries that are not permitted without parameters aren't listed."""
    names = {query["name"] for query in client.get("/stats/").json["queries"]}  # type: ignore[index]
    assert {"ratio", "access-log-histogram"} <= names
    assert not {"members", "secret", "own"} & names
    response = client.get("/stats", headers=U1)
    assert {"members"} <= {query["name"] for query in response.json["queries"]}  # type: ignore[index]


def test_a_path_names_the_callable_that_says_who_calls(tmp_path: Path) -> None:
    """STATS_IDENTITY may be a dotted path."""
    app = Flask("host")
    app.config["STATS_IDENTITY"] = "tests.rest.test_permissions:somebody"
    with app.app_context():
        assert current_identity() == "somebody"
        assert authenticated("any", {})


def test_without_a_way_to_know_callers_all_are_anonymous() -> None:
    """No STATS_IDENTITY and no Flask-Login: nobody is known."""
    with Flask("host").app_context():
        assert current_identity() is None
        assert not authenticated("any", {})
        assert allow_everyone("any", {})
        assert not deny_all("any", {})


def test_no_url_prefix_is_no_api(tmp_path: Path) -> None:
    """With STATS_URL_PREFIX=None nothing is served; another prefix moves everything."""
    without = make_app(str(tmp_path), STATS_URL_PREFIX=None)
    assert without.test_client().get("/stats/").status_code == 404
    moved = make_app(str(tmp_path), STATS_URL_PREFIX="/api/numbers")
    assert moved.test_client().get("/api/numbers").status_code == 200
    servers = moved.test_client().get("/api/numbers/openapi.json").json["servers"]  # type: ignore[index]
    assert servers == [{"url": "/api/numbers"}]


def somebody() -> str:
    """Be the caller of a test."""
    return "somebody"
