"""When `stats update` and `stats reset` print lines, and in which colour; see also E000."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from stats_pipeline.cli import stats
from tests.contrib.crash_reports import ACTIVE, NAMES, beats, take
from tests.support import Backend, MakeApp, pipeline_of

Run = Callable[..., Result]

GREEN = "\x1b[32m"


@pytest.fixture
def app(embedded: Backend, make_app: MakeApp) -> Flask:
    """Give a host that takes reports of phones."""
    return make_app(embedded.store_url, STATS_EVENTS=ACTIVE)


@pytest.fixture
def run(app: Flask) -> Run:
    """Give a function that runs `flask stats` with these arguments."""

    def run_it(*arguments: str, **options: Any) -> Result:
        return app.test_cli_runner().invoke(stats, arguments, **options)

    return run_it


def test_A000_09_A000_49_below_vv_there_are_no_lines(run: Run, app: Flask) -> None:
    """Fit for cron: without -v a success prints nothing at all; --json has a report of its own."""
    take(pipeline_of(app), beats("01"))
    for action in ("update", "reset"):
        result = run(action, *NAMES)
        assert (result.exit_code, result.output) == (0, "")
        assert " for counter " not in run(action, "-v", *NAMES).output
        assert " for counter " not in run(action, "-vv", "--json", *NAMES).stdout


def test_A000_49_the_lines_are_green_unless_colour_is_off(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is off where no terminal is, and where NO_COLOR says so."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert f"{GREEN}0 {NAMES[0]} created" in run("update", "-vv", *NAMES, color=True).stdout
    assert GREEN not in run("update", "-vv", *NAMES).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert GREEN not in run("update", "-vv", *NAMES, color=True).stdout


@pytest.mark.parametrize(("action", "number"), [("update", 32), ("reset", 36)])
def test_A000_50_A000_51_zeros_are_printed_where_nothing_was_ever_reported(
    run: Run, action: str, number: int
) -> None:
    """As many lines as in E000, on an empty store; D20: none about bookmarks."""
    result = run(action, "-vv", *NAMES)
    lines = [line for line in result.stdout.splitlines() if line.startswith("0 ")]
    assert len(lines) == number
    assert sum(line.endswith(" deleted") for line in lines) == number - 32
