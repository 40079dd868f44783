"""`stats doctor` and `stats status`, as an operator reads them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from stats_pipeline.app import create_app
from stats_pipeline.cli import stats
from stats_pipeline.errors import QueueUnavailable
from tests.cli.conftest import Run
from tests.support import pipeline_of


def test_every_hop_is_one_line_and_the_end_says_how_many(run: Run) -> None:
    """Without a worker, what to start is said once, and the exit code is 1."""
    result = run("doctor", "--wait", "0.01")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "ok         test event counted by a query: the answer is 1" in lines
    assert sum(line.startswith("FAILED     worker for ") for line in lines) == 4
    assert sum("What to do: start `stats serve`" in line for line in lines) == 1
    assert lines[-1] == "4 of 24 hops failed, 0 were not tried."


def test_workers_need_not_be_asked(run: Run) -> None:
    """All the rest works, so the exit code is 0."""
    result = run("doctor", "--wait", "0")
    assert result.exit_code == 0
    assert "not tried  worker for access-log: no time was given" in result.stdout
    assert result.stdout.splitlines()[-1] == "Everything works; 4 hops were not tried."


def test_the_report_as_json(run: Run) -> None:
    """One document, with the exit code that the words would have."""
    result = run("doctor", "--wait", "0.01", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["is_healthy"] is False
    assert {hop["status"] for hop in found["hops"]} == {"ok", "failed"}


def test_a_wrong_registration_is_the_configurations_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, and everything that can work is tried nevertheless."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.py"
    # Where nothing listens, nobody needs the signal at start.
    path.write_text(
        "STATS_RECEIVERS = False\n"
        "STATS_EVENTS = {'file-download': {'signal': 'shop.nowhere:sold'}}\n"
    )
    app = create_app(config_file=path)
    result = app.test_cli_runner().invoke(stats, ["doctor", "--wait", "0"])
    assert result.exit_code == 2
    assert "FAILED     event type 'file-download' of stats_pipeline" in result.stdout
    assert "'shop.nowhere:sold' can't be imported" in result.stdout
    assert "ok         test event counted by a query: the answer is 1" in result.stdout
    pipeline_of(app).close()


def test_an_empty_status_says_so(run: Run) -> None:
    """Nothing yet is something else than no answer."""
    shown = run("status").stdout
    assert "last runs: nothing yet" in shown
    assert "never updated" in shown
    assert "dead_letters: 0" in shown


def test_the_status_shows_events_runs_and_dead_letters(
    app: Flask, run: Run, run_json: Callable[..., Any], two_days: None
) -> None:
    """The last runs are few without -v, and each says what it did."""
    pipeline_of(app).publish("access-log", [{"colour": "red"}])
    run("events", "process")
    for _ in range(4):
        run("reset")
        run("reset", "access-log-agg", "--start", "2016-12-19")
    shown = run("status").stdout
    assert "  access-log: 1 invalid" in shown
    assert shown.count("  reset  ") == 5
    assert "intervals: 2, created: 3" in shown
    in_full = run("status", "-v").stdout
    assert in_full.count("  reset  ") == 8 + 8
    assert in_full.count("  reset  access-log-agg  ") == 8
    assert "taken: 4, indexed: 3, dead: 1" in in_full
    newest, before, *others = run_json("status")["runs"]
    assert len(others) == 7
    assert newest["aggregations"] == {"access-log-agg": {"intervals": 1, "unchanged": 2}}
    whole = {"intervals": 2, "created": 3, "deleted": 3}
    assert before["aggregations"] == {"access-log-agg": whole}
    (line,) = [line for line in shown.splitlines() if line.startswith("  access-log  ")]
    assert line.split() == ["access-log", "0", "-", "3", "0.0%", "0", "-"]


def test_the_status_of_an_outage_shows_all_that_is_known_and_ends_with_1(
    app: Flask, run: Run, two_days: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known is a ? in the tables, and said why below, also as JSON."""

    def refuse() -> str:
        raise QueueUnavailable("the queue is away")

    run("events", "process")
    run("update")
    monkeypatch.setattr(pipeline_of(app).queue, "check", refuse)
    result = run("status")
    assert result.exit_code == 1
    assert result.stderr == "Error: not everything is known now: the queue is away\n"
    lines = result.stdout.splitlines()
    assert "queue: not known: the queue is away" in lines
    assert "  ? access-log, device-report, file-download, record-view" in result.stdout
    (line,) = [line for line in lines if line.startswith("  access-log  ")]
    assert line.split() == ["access-log", "?", "?", "3", "0.0%", "0", "-"]
    assert "  access-log-agg" in result.stdout
    assert "created: 3" in result.stdout
    in_json = run("status", "--json")
    assert in_json.exit_code == 1
    assert json.loads(in_json.stdout)["errors"] == ["the queue is away"]


def test_queries_of_long_rows_say_which_interval_is_the_default(run: Run) -> None:
    """A day is the default where a row is not longer."""
    assert (
        "default: day, or as long as the rows where they are longer"
        in run("query", "--list").stdout
    )
