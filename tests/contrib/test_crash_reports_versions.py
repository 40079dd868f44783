"""The table of versions: when each was first seen, when it was released, and what people say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stats_pipeline import current_stats
from stats_pipeline.cli import stats
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.pipeline import Pipeline
from tests.contrib.crash_reports import (
    ACTIVE,
    REPORT,
    crash,
    heartbeat,
    reset,
    take,
    update,
    versions,
)
from tests.support import Backend, MakeApp

QUERIES = [
    "build-versions",
    "device-report-build-histogram",
    "device-report-radio-histogram",
    "radio-versions",
]


@pytest.fixture
def server(embedded_server: Pipeline) -> Pipeline:
    """Give a server of phones' reports, on the embedded pair."""
    return embedded_server


def seen_on(server: Pipeline, *days: str, build: str = "B1") -> tuple[str, str]:
    """Take a heartbeat of each day, update, and return first seen and released on."""
    beats = [heartbeat(f"phone with {build}", f"{day}T10:00", build) for day in days]
    assert take(server, beats).indexed == len(days)
    update(server)
    table = versions(server)[build]
    return table["first_seen"], table["released_on"]


def test_A000_44_a_release_that_people_have_set_stays(server: Pipeline) -> None:
    """T000-12: also one that was set to the very day on which the version was first seen."""
    seen_on(server, "2019-02-27")
    server.annotations.set("build_fingerprint", "B1", {"released_on": "2019-02-27"})
    assert seen_on(server, "2019-02-20") == ("2019-02-20", "2019-02-27")


def test_A000_48_flags_are_false_until_people_set_them_and_no_run_changes_them(
    server: Pipeline,
) -> None:
    """Neither an update nor a reset (T000-08)."""
    seen_on(server, "2019-02-27")
    table = versions(server)["B1"]
    assert (table["is_official"], table["is_beta"]) == (False, False)
    server.annotations.set("build_fingerprint", "B1", {"is_beta": True})
    seen_on(server, "2019-02-28")
    reset(server)
    table = versions(server)["B1"]
    assert (table["is_official"], table["is_beta"], table["heartbeats"]) == (False, True, 2.0)


def test_a_version_of_which_only_history_is_known_has_no_first_day(server: Pipeline) -> None:
    """Rows that were counted elsewhere need not have one; people may say when it was released."""
    update(server)
    row = {"start": "1970-01-01", "build_fingerprint": "B0", "count": 5, "heartbeats": 5}
    history = server.moving.history("device-report-build-all-agg", "old")
    assert history.take(lambda: [(1, json.dumps(row).encode())]).rows == 1
    seen_on(server, "2019-02-27", build="B1")
    answer = server.query("build-versions", size=1)
    assert (answer["value"], answer["imported"]) == (6.0, {"old": 5.0})
    assert [(each["key"], each["imported"]) for each in answer["buckets"]] == [("B0", {"old": 5.0})]
    assert versions(server, source="").keys() == {"B1"}
    found = versions(server)["B0"]
    assert (found["heartbeats"], found["first_seen"], found["released_on"]) == (5.0, None, None)
    server.annotations.set("build_fingerprint", "B0", {"released_on": "2018-01-01"})
    assert versions(server)["B0"]["released_on"] == "2018-01-01"


@pytest.mark.parametrize("flag", ["no", "false", 0, 1])
def test_a_flag_is_set_by_true_alone(server: Pipeline, flag: Any) -> None:
    """A text such as "no" is no flag, though it is true to Python."""
    seen_on(server, "2019-02-27")
    server.annotations.set("build_fingerprint", "B1", {"is_official": flag})
    assert versions(server)["B1"]["is_official"] is False


def test_a_withdrawn_report_moves_the_first_day_forward(server: Pipeline) -> None:
    """First seen is what the reports say now, as every number is."""
    seen_on(server, "2019-02-20", "2019-02-27")
    more: dict[str, Any] = {"revision": 1, "withdrawn": True, "event_id": "any"}
    mistake = heartbeat("phone with B1", "2019-02-20T10:00", **more)
    take(server, [mistake])
    update(server)
    assert versions(server)["B1"]["first_seen"] == "2019-02-27"


def test_versions_come_by_the_number_of_their_reports_or_as_they_are_asked_for(
    server: Pipeline,
) -> None:
    """By their version, or so many of them; dates mean nothing where all time is counted."""
    seen_on(server, "2019-02-27", "2019-02-28", build="B2")
    seen_on(server, "2019-02-27", build="B3")
    take(server, [crash("A", "2019-02-26T10:00", "B1")])
    update(server)
    assert list(versions(server)) == ["B2", "B1", "B3"]
    assert list(versions(server, build_fingerprint=["B1", "B3"])) == ["B1", "B3"]
    assert versions(server, build_fingerprint="B4") == {}
    with pytest.raises(InvalidParameter, match="each of its rows covers all time"):
        versions(server, start_date="2019-02-27")
    assert list(versions(server, size=1)) == ["B2"]
    with pytest.raises(InvalidParameter, match="'build' is unknown"):
        versions(server, build="B1")


def test_the_histogram_of_a_version_counts_day_by_day(server: Pipeline) -> None:
    """All counters have one; days between without a report are filled with zeros."""
    reasons = {"2019-02-20": "UNKNOWN", "2019-02-22": "RTC alarm"}
    for day, reason in reasons.items():
        take(server, [crash("A", f"{day}T10:00", "B1", reason)])
    seen_on(server, "2019-02-21", build="B2")
    answer = server.query("device-report-build-histogram", build_fingerprint="B1")
    found = [(b["date"][:10], b["prob_crashes"], b["smpl"], b["other"]) for b in answer["buckets"]]
    assert found == [
        ("2019-02-20", 1.0, 0.0, 0.0),
        ("2019-02-21", 0.0, 0.0, 0.0),
        ("2019-02-22", 0.0, 1.0, 0.0),
    ]
    answer = server.query("device-report-radio-histogram", radio_version="R1", interval="month")
    assert [(b["date"][:7], b["heartbeats"]) for b in answer["buckets"]] == [("2019-02", 1.0)]


def test_who_asks_must_be_known(embedded: Backend, make_app: MakeApp) -> None:
    """How often which build crashes is not for everybody; each query describes itself."""
    app = make_app(embedded.store_url, STATS_EVENTS=ACTIVE, STATS_IDENTITY=lambda: None)
    client = app.test_client()
    for name in QUERIES:
        assert client.get(f"/stats/{name}").status_code == 401, name
    known = make_app(embedded.store_url, STATS_EVENTS=ACTIVE, STATS_IDENTITY=lambda: "analyst")
    answer: Any = known.test_client().get("/stats/").json
    listed = {each["name"]: each for each in answer["queries"]}
    assert set(QUERIES) <= listed.keys()
    parameters = [each["name"] for each in listed["build-versions"]["parameters"]]
    assert sorted(parameters) == ["build_fingerprint", "size", "source"]
    assert all(listed[name]["description"] for name in QUERIES)
    refused = known.test_client().get("/stats/build-versions?build=B1")
    assert (refused.status_code, "build_fingerprint" in refused.text) == (400, True)


def test_the_command_line_sets_what_people_know(embedded: Backend, make_app: MakeApp) -> None:
    """`stats annotations set` and `stats query`, as the README says; also as a table."""
    app = make_app(embedded.store_url, STATS_EVENTS=ACTIVE)

    def run(*arguments: str) -> Any:
        result = app.test_cli_runner().invoke(stats, [*arguments, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    with app.app_context():
        current_stats.publish(REPORT, [heartbeat("A", "2019-02-20T10:00")])
        current_stats.process_events()
    run("update")
    run("annotations", "set", "build_fingerprint", "B1", "released_on=2019-02-22", "is_beta=true")
    answer = run("query", "build-versions", "build_fingerprint=B1")
    assert "annotations" not in answer
    (bucket,) = answer["buckets"]
    assert bucket == {
        "key": "B1",
        "value": 1.0,
        "heartbeats": 1.0,
        "prob_crashes": 0.0,
        "smpl": 0.0,
        "other": 0.0,
        "first_seen": "2019-02-20",
        "released_on": "2019-02-22",
        "is_official": False,
        "is_beta": True,
    }
