"""An event that ends every process which processes it costs only itself."""

import signal
from typing import Any

import pytest

from stats_pipeline.events import trial
from stats_pipeline.pipeline import Pipeline
from tests.faults.conftest import Host, Start
from tests.faults.deadly import DEADLY
from tests.faults.traffic import EVENT_TYPE, assert_at_rest, downloads, expected_of, publish
from tests.support import Backend

EVENTS = 400

PREPROCESSORS = [
    "stats_pipeline.events.preprocessors:flag_robots",
    "stats_pipeline.events.preprocessors:anonymize_user",
    "stats_pipeline.events.preprocessors:build_file_unique_id",
    "tests.faults.deadly:die_of_some",
]
SETTINGS: dict[str, Any] = {
    "STATS_EVENTS": {EVENT_TYPE: {"processor_config": {"preprocessors": PREPROCESSORS}}}
}

#: Until its message is suspected, until it is tried event by event, and until each is known.
DEATHS = trial.MANY_RETURNS + trial.MANY_ENDS + 2 * trial.MANY_ENDS


def process_once(pipeline: Pipeline) -> None:
    """Process what waits."""
    pipeline.process_events()


@pytest.mark.timeout(300)
def test_an_event_that_kills_its_worker_is_a_dead_letter_after_some_deaths(
    backend: Backend, host: Host, start: Start
) -> None:
    """Two of them in one message: all others are counted, those of their message among them."""
    pipeline = host(backend, **SETTINGS)
    events = downloads(EVENTS)
    deadly = [{**event, "referrer": DEADLY} for event in downloads(2, first=EVENTS)]
    mixed = [*events[:10], deadly[0], *events[10:20], deadly[1], *events[20:]]
    publish(pipeline, mixed)

    deaths = 0
    while (worker := start(backend, process_once, **SETTINGS)).wait() == -signal.SIGKILL:
        deaths += 1
        assert deaths <= DEATHS
    assert worker.wait() == 0
    assert deaths >= 3 * trial.MANY_ENDS
    assert_at_rest(pipeline, expected_of(events, dead={"preprocessor": 2}))
    letters = pipeline.dead_letters.list(kind="preprocessor")
    assert [letter.event["referrer"] for letter in letters] == [DEADLY] * 2
    assert all("ended without a word" in letter.error for letter in letters)
    assert list(pipeline.store.state.find(trial.KIND)) == []
