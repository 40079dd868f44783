"""What a host does not use, as the packages of ours that it has, stands in nobody's way."""

import json
from collections.abc import Callable

import pytest
from flask import Flask

from stats_pipeline.cli import stats
from stats_pipeline.cli.output import Output
from tests.cli.conftest import Run
from tests.support import E004_EVENTS, Backend, MakeApp, pipeline_of

USED = "file-download-agg"
UNUSED = "record-view-agg"
RECORD = {"record_id": "r-1", "pid_type": "id", "pid_value": "1", "user_id": "u1"}


@pytest.fixture
def make_host(make_app: MakeApp, backend: Backend) -> Callable[..., Flask]:
    """Give a function that makes hosts with these active event types, on one store."""

    def make(*event_types: str) -> Flask:
        active: dict[str, dict[str, str]] = {event_type: {} for event_type in event_types}
        return make_app(backend.store_url, backend.broker_url, STATS_EVENTS=active)

    return make


@pytest.fixture
def run(make_host: Callable[..., Flask]) -> Run:
    """Give a function that runs a command in a host that counts downloads only."""
    return runner(make_host("file-download"))


def runner(app: Flask) -> Run:
    """Return a function that runs a command in this app."""
    return lambda *arguments: app.test_cli_runner().invoke(stats, arguments)


def test_the_status_leaves_it_out(run: Run) -> None:
    """With -v and for programs everything is there."""
    shown = run("status").stdout
    assert USED in shown
    assert UNUSED not in shown
    assert UNUSED in run("status", "-v").stdout
    assert {USED, UNUSED} <= json.loads(run("status", "--json").stdout)["aggregations"].keys()


def test_what_has_rows_is_no_longer_used_but_there(make_host: Callable[..., Flask]) -> None:
    """An event type that is not active any more keeps its numbers, and an eye on them."""
    before = pipeline_of(make_host("file-download", "record-view"))
    before.publish("record-view", [RECORD])
    before.process_events()
    before.update()
    shown = runner(make_host("file-download"))("status").stdout
    assert UNUSED in shown
    assert "access-log-agg" not in shown


def test_an_update_does_not_count_it(
    run: Run, make_host: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is up to date all the same, and said where it is asked for."""
    monkeypatch.setattr(Output, "summary", Output.result)  # as on a terminal
    assert run("update").stdout == "1 aggregation had nothing to do\n"
    app = make_host("file-download")
    pipeline_of(app).publish("file-download", E004_EVENTS)
    pipeline_of(app).process_events()
    assert [line.split()[0] for line in runner(app)("update").stdout.splitlines()] == [
        "aggregation",
        USED,
    ]
    assert run("update", UNUSED, USED).stdout == "2 aggregations had nothing to do\n"
    assert UNUSED in run("update", "-v").stdout
    assert UNUSED in json.loads(run("update", "--json").stdout)["aggregations"]


def test_the_doctor_loads_it_and_only_counts_it(run: Run) -> None:
    """A wrong registration is found whoever made it; names are there for who wants them."""
    shown = run("doctor", "--wait", "0").stdout
    assert f"aggregations: 7 can be used: {USED}, and 6 of event types that are not" in shown
    assert "build-versions" not in shown, "nor a query of another class that says what it reads"
    assert UNUSED not in shown
    assert UNUSED in run("doctor", "--wait", "0", "-v").stdout
    hops = json.loads(run("doctor", "--wait", "0", "--json").stdout)["hops"]
    assert any(UNUSED in hop["more"] for hop in hops)
