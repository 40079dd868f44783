"""What is written down of a message that is tried alone."""

import os
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from stats_pipeline.clock import ManualClock
from stats_pipeline.events import trial
from stats_pipeline.events.trial import Trial
from stats_pipeline.pipeline import Pipeline
from tests.events.conftest import ThingPipeline

DAY_SECONDS = 24 * 60 * 60


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that a test moves."""
    return ManualClock(datetime(2017, 1, 1, tzinfo=UTC))


@pytest.fixture
def pipeline(thing_pipeline: ThingPipeline, clock: ManualClock) -> Pipeline:
    """Give a pipeline, for its state."""
    return thing_pipeline(clock=clock)


def trial_of(pipeline: Pipeline, body: bytes) -> Trial:
    """Return what a new process knows of this message."""
    return Trial(pipeline.store.state, "a queue", body, pipeline.clock)


def end_at(pipeline: Pipeline, body: bytes, part: str) -> None:
    """Let a process end in the middle."""
    child = os.fork()
    if not child:
        try:
            with trial_of(pipeline, body).of(part):
                os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0) == (child, 0)


def test_only_ends_of_the_process_count(pipeline: Pipeline) -> None:
    """What fails as it should, such as in an outage, may fail as often as it likes."""
    for _ in range(2 * trial.MANY_ENDS):
        with suppress(ConnectionError), trial_of(pipeline, b"a").of("0"):
            raise ConnectionError
    assert not trial_of(pipeline, b"a").is_deadly("0")


def test_each_part_of_each_message_has_its_own_count(pipeline: Pipeline) -> None:
    """So many ends at one event say nothing of the others."""
    for _ in range(trial.MANY_ENDS):
        assert not trial_of(pipeline, b"a").is_deadly("0")
        end_at(pipeline, b"a", "0")
    known = trial_of(pipeline, b"a")
    assert known.is_deadly("0")
    assert not known.is_deadly("1")
    assert not trial_of(pipeline, b"b").is_deadly("0")
    with known.of("1"):
        pass
    assert trial_of(pipeline, b"a").is_deadly("0")
    known.close()
    assert not trial_of(pipeline, b"a").is_deadly("0")


def test_what_nobody_has_finished_is_forgotten(pipeline: Pipeline, clock: ManualClock) -> None:
    """As of a queue that was deleted."""
    end_at(pipeline, b"a", "0")
    clock.advance(31 * DAY_SECONDS)
    end_at(pipeline, b"b", "0")
    pipeline.apply_retention()
    assert len(list(pipeline.store.state.find(trial.KIND))) == 1
