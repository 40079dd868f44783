"""What an update or a reset leaves undone is said, and is no success of a reset."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from stats_pipeline import StatAggregator
from stats_pipeline.aggregations.aggregator import Row
from stats_pipeline.app import create_app
from stats_pipeline.errors import LeaseLost
from stats_pipeline.intervals import Period
from stats_pipeline.stores.protocol import Snapshot
from tests.cli.conftest import Run
from tests.support import pipeline_of


class OvertakenAggregator(StatAggregator):
    """Be of a run that always loses its intervals to another one."""

    def rows(self, events: Snapshot, period: Period) -> Iterator[Row]:
        """Yield the rows, and raise what their lease raises in the end."""
        yield from super().rows(events, period)
        raise LeaseLost("Another run took this interval over")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Give the stand-alone application, in which access logs are never aggregated."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.py"
    path.write_text(
        "STATS_AGGREGATIONS = {'access-log-agg': "
        "{'aggregator_class': 'tests.cli.test_pending:OvertakenAggregator'}}"
    )
    app = create_app(config_file=path)
    yield app
    pipeline_of(app).close()


def test_an_update_says_in_one_line_what_it_left_to_another_run(run: Run, two_days: None) -> None:
    """Also to cron, without -v; nothing is wrong, so the exit code is 0."""
    run("events", "process")
    result = run("update")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.count("\n") == 1
    assert "Warning: 2 intervals are pending" in result.stderr
    assert "(access-log-agg: 2)" in result.stderr


@pytest.mark.parametrize(
    ("asked", "seen"),
    [((), "still see the old rows;"), (("--start", "2016-12-18"), "the old rows of these;")],
)
def test_a_reset_that_is_not_in_effect_fails(
    run: Run, two_days: None, asked: tuple[str, ...], seen: str
) -> None:
    """With what is pending, what readers see meanwhile, and what to do."""
    run("events", "process")
    result = run("reset", *asked)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "access-log-agg: the reset is not in effect: 2 intervals are pending" in result.stderr
    assert "(2016-12-18T00:00:00.000Z, 2016-12-19T00:00:00.000Z)" in result.stderr
    assert seen in result.stderr
    assert "run the same command again" in result.stderr


def test_the_status_shows_what_is_pending(run: Run, two_days: None) -> None:
    """Beside the window that was asked for; with -v for each aggregation."""
    run("events", "process")
    run("reset", "--start", "2016-12-18", "--end", "2016-12-18")
    shown = run("status").stdout
    (line,) = [line for line in shown.splitlines() if " reset " in line]
    assert line.split()[1:] == ["reset", "1", "2016-12-18", "to", "2016-12-18", "1"]
    assert "by aggregation" not in shown
    detail = run("status", "-v").stdout.split("last runs by aggregation:\n")[1].splitlines()
    assert detail[0].split()[-1] == "pending"
    assert detail[1].split()[1:] == ["reset", "access-log-agg", *"000001"]
