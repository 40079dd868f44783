"""What `stats update` and `stats reset` print and refuse, where phones report their crashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from stats_pipeline.cli import stats
from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from tests.contrib.crash_reports import (
    ACTIVE,
    CRASH_REPORT,
    E000_FIRST,
    E000_SECOND,
    HEARTBEAT,
    NAMES,
    all_rows,
    heartbeat,
    process,
)
from tests.support import Backend, MakeApp, pipeline_of

Run = Callable[..., Result]
Numbers = dict[tuple[str, str], int]

GREEN = "\x1b[32m"


@pytest.fixture
def app(embedded: Backend, make_app: MakeApp) -> Flask:
    """Give a host that takes reports of phones."""
    return make_app(embedded.store_url, STATS_EVENTS=ACTIVE)


@pytest.fixture
def server(app: Flask) -> Pipeline:
    """Give its pipeline."""
    return pipeline_of(app)


@pytest.fixture
def run(app: Flask) -> Run:
    """Give a function that runs `flask stats` with these arguments."""

    def run_it(*arguments: str, **options: Any) -> Result:
        return app.test_cli_runner().invoke(stats, arguments, **options)

    return run_it


def receive(server: Pipeline, reports: Sequence[tuple[str, str, Event]]) -> None:
    """Publish and process reports of E000; now is later than any of them."""
    for _, event_type, event in reports:
        server.publish(event_type, [event])
    process(server)


def numbers(result: Result) -> Numbers:
    """Return (rollup, what happened) -> number of rows, from the lines that were printed."""
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines() if " rows of " in line]
    return {(line[3].removesuffix("-agg"), line[4]): int(line[0]) for line in lines}


def created_and_updated(found: Numbers, rollup: str) -> tuple[int, int]:
    """Return these two numbers of a rollup."""
    return found[rollup, "created"], found[rollup, "updated"]


def test_A000_01_an_unknown_action_is_refused_and_the_two_are_named(
    run: Run, server: Pipeline
) -> None:
    """Exit code 2, and nothing is read or written; `stats` alone says what there is."""
    receive(server, E000_FIRST)
    result = run("recount")
    assert result.exit_code == 2
    assert "reset" in result.stderr
    assert "update" in result.stderr
    assert not any(all_rows(server).values())
    assert {"reset", "update"} <= set(run().stdout.split())
    assert not any(all_rows(server).values())


def test_A000_09_A000_49_below_vv_there_are_no_lines(run: Run, server: Pipeline) -> None:
    """Fit for cron: without -v a success prints nothing at all."""
    receive(server, E000_FIRST)
    for action in ("update", "reset"):
        result = run(action, *NAMES)
        assert (result.exit_code, result.output) == (0, "")
        assert " rows of " not in run(action, "-v", *NAMES).output
        assert " rows of " not in run(action, "-vv", "--json", *NAMES).stdout


def test_A000_49_the_lines_are_green_unless_colour_is_off(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is off where no terminal is, and where NO_COLOR says so."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert f"{GREEN}0 rows of heartbeat" in run("update", "-vv", *NAMES, color=True).stdout
    assert GREEN not in run("update", "-vv", *NAMES).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert GREEN not in run("update", "-vv", *NAMES, color=True).stdout


@pytest.mark.parametrize("action", ["update", "reset"])
def test_A000_50_A000_51_every_rollup_has_its_lines_also_with_zeros(run: Run, action: str) -> None:
    """D16: rows are counted, and a row has all counters of its event type.

    Two dimensions x two event types x two intervals x deleted, created and updated: 24 lines,
    those about deletions first. D20: there are no bookmarks to delete.
    """
    result = run(action, "-vv", *NAMES)
    lines = [line for line in result.stdout.splitlines() if " rows of " in line]
    assert len(lines) == 24
    assert all(line.startswith("0 rows of ") for line in lines)
    assert [line.split()[-1] for line in lines] == ["deleted"] * 8 + ["created", "updated"] * 8
    assert {line.split()[3] for line in lines} == set(NAMES)


def test_E000_A000_52_the_lines_of_the_worked_example(run: Run, server: Pipeline) -> None:
    """D16, T000-14: different rows are counted, not touches.

    So the days are those of E000 (its crashes, SMPL and other in one row), and all time counts a
    value once, however many of its days were touched.
    """
    receive(server, E000_FIRST)
    first = numbers(run("update", "-vv", *NAMES))
    assert created_and_updated(first, "heartbeat-build-day") == (2, 0)
    assert created_and_updated(first, "heartbeat-build-all") == (2, 0)
    assert created_and_updated(first, "heartbeat-radio-day") == (2, 0)
    assert created_and_updated(first, "heartbeat-radio-all") == (1, 0)
    assert created_and_updated(first, "crash-report-build-day") == (2, 0)
    assert created_and_updated(first, "crash-report-radio-day") == (1, 0)
    receive(server, E000_SECOND)
    second = numbers(run("update", "-vv", *NAMES))
    assert created_and_updated(second, "heartbeat-build-day") == (2, 0)
    assert created_and_updated(second, "heartbeat-build-all") == (0, 2)
    assert created_and_updated(second, "heartbeat-radio-day") == (2, 0)
    assert created_and_updated(second, "heartbeat-radio-all") == (1, 1)
    assert created_and_updated(second, "crash-report-build-day") == (0, 1)
    assert created_and_updated(second, "crash-report-radio-day") == (0, 1)
    again = numbers(run("reset", "-vv", *NAMES))
    assert created_and_updated(again, "heartbeat-build-day") == (4, 0)
    assert created_and_updated(again, "heartbeat-build-all") == (2, 0)
    assert created_and_updated(again, "crash-report-build-day") == (2, 0)
    assert sum(number for (_, action), number in again.items() if action != "created") == 0


def test_A000_53_a_row_is_created_once_and_updated_by_later_runs(
    run: Run, server: Pipeline
) -> None:
    """D16: in one run it is written once, with all of its counters."""
    receive(
        server, [("", CRASH_REPORT, event) for _, kind, event in E000_FIRST if kind != HEARTBEAT]
    )
    found = numbers(run("update", "-vv", *NAMES))
    assert created_and_updated(found, "crash-report-radio-all") == (1, 0)
    receive(server, E000_SECOND)
    found = numbers(run("update", "-vv", *NAMES))
    assert created_and_updated(found, "crash-report-radio-all") == (0, 1)


def test_A000_54_deletions_are_reported_by_rollup(run: Run, server: Pipeline) -> None:
    """A value of which every report was withdrawn is gone from all of them; T000-06."""
    mistake = heartbeat("A", "2019-02-01T10:00", "B9", "R9")
    receive(server, [("", HEARTBEAT, mistake), *E000_FIRST])
    run("update", *NAMES)
    withdrawn = {**mistake, "revision": 1, "withdrawn": True, "event_id": "any"}
    receive(server, [("", HEARTBEAT, withdrawn)])
    found = numbers(run("update", "-vv", *NAMES))
    gone = {
        rollup: number
        for (rollup, action), number in found.items()
        if action == "deleted" and number
    }
    assert gone == {
        f"heartbeat-{dimension}-{interval}": 1
        for dimension in ("build", "radio")
        for interval in ("all", "day")
    }
    result = run("reset", "-vv", *NAMES)
    assert (result.exit_code, sum(numbers(result).values())) == (0, 13)
