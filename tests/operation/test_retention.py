"""`stats retention apply` says what goes, what will go and when, what stays, and why."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask

from stats_pipeline.cli import stats
from stats_pipeline.clock import ManualClock
from stats_pipeline.pipeline import Pipeline
from tests.support import E004_EVENTS, Backend, MakeApp, pipeline_of

MARCH = datetime(2017, 3, 15, 12, tzinfo=UTC)
EVENTS = {"file-download": {"processor_config": {"retention_days": 31}}}
HOUR_SECONDS = 3_600

Apply = Callable[..., list[str]]


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands in the middle of March."""
    return ManualClock(MARCH)


@pytest.fixture
def app(embedded: Backend, make_app: MakeApp, clock: ManualClock) -> Flask:
    """Give an application of March that has stored, but not counted, events of December."""
    app = make_app(embedded.store_url, STATS_EVENTS=EVENTS)
    pipeline = pipeline_of(app)
    pipeline.clock = clock
    pipeline.publish("file-download", E004_EVENTS)
    pipeline.process_events()
    return app


@pytest.fixture
def pipeline(app: Flask) -> Pipeline:
    """Give its pipeline."""
    return pipeline_of(app)


@pytest.fixture
def apply(app: Flask, index_prefix: str) -> Apply:
    """Give a function that runs the command and returns its lines, without the prefix."""

    def run(*options: str) -> list[str]:
        result = app.test_cli_runner().invoke(stats, ["retention", "apply", *options])
        return result.stdout.replace(index_prefix, "").splitlines()

    return run


def test_a_dry_run_foretells_what_later_runs_do(
    apply: Apply, pipeline: Pipeline, clock: ManualClock
) -> None:
    """In the conditional, with the number of events and the time; and it closes nothing."""
    nothing = (
        "No dead letter, no spooled message and no key of visitor ids is from before "
        "2017-02-13T12:00:00.000Z"
    )
    closed = (
        "events before 2017-02-01T00:00:00.000Z are closed: those that still come are dead "
        "letters (too_late)"
    )
    index = "events-stats-file-download-2016-12"
    stored = pipeline.status()["events"]["file-download"]["stored_events"]
    goes = f"deleted with {stored} events by a run at 2017-03-15T13:00:00.000Z or later"

    *_, held = apply("--dry-run")
    assert held.startswith(f"{index} would be kept: aggregation 'file-download-agg' of ")
    assert held.endswith(" on: see `stats update`")
    pipeline.update()
    for _ in range(2):
        assert apply("--dry-run") == [
            nothing,
            f"file-download: after a run, {closed}",
            f"{index} would be {goes}",
        ]
    assert apply() == [nothing, f"file-download: {closed}", f"{index} will be {goes}"]

    clock.advance(HOUR_SECONDS)
    for options, done, after in (
        (["--dry-run"], "would be deleted", "after a run, "),
        ([], "deleted", ""),
    ):
        heading, row, *lines = apply(*options)
        assert heading.split(maxsplit=2) == ["what", "of", done]
        assert row.split() == ["events", index, str(stored)]
        assert lines == [
            f"file-download: {after}{closed}",
            f"file-download: {after}rows that end by 2017-02-01T00:00:00.000Z are final",
        ]


def test_an_index_that_something_refers_to_is_said_to_be_kept(
    apply: Apply, pipeline: Pipeline
) -> None:
    """Before its time is closed and afterwards, with who refers to which event."""
    pipeline.update()
    pipeline.references.keep("file-download", "e1", "2016-12-18T10:00:00Z", by="alarms/17")
    kept = "kept: alarms/17 refers to its event e1 of 2016-12-18T10:00:00.000Z"
    assert apply("--dry-run")[-1] == f"events-stats-file-download-2016-12 would be {kept}"
    assert apply()[-1] == f"events-stats-file-download-2016-12 is {kept}"


def test_where_nobody_knows_nothing_is_said_to_be_kept_long_enough(
    make_app: MakeApp,
) -> None:
    """A store that is down is an error, and the only thing that is said."""
    app = make_app("http://127.0.0.1:1", STATS_EVENTS=EVENTS)
    result = app.test_cli_runner().invoke(stats, ["retention", "apply", "--dry-run"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not answer" in result.stderr
