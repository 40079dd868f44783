"""A host that is killed, forks or ends: what was confirmed to it is counted, exactly once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from scripts.services.server import wait_until
from stats_pipeline.pipeline import Pipeline
from tests.faults.conftest import Host, Start
from tests.faults.firing import FIRING, fire, fire_and_flush, fire_from_threads
from tests.faults.traffic import assert_at_rest, downloads, expected_of
from tests.support import Backend, stored_events

KILLS = [10, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])]

#: From before its first signal to some dozens of them.
SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS = 0.1, 0.5

#: More than are fired in one life, so that no number comes twice.
NUMBERS_PER_LIFE = 100_000

PATIENCE_SECONDS = 60

CHECKOUT = Path(__file__).parents[2]

#: Nobody listens there.
NO_BROKER = "amqp://guest:guest@127.0.0.1:1//"

#: Where the host runs, and what tells it that an event is safe.
CASES: list[tuple[str, str, Callable[..., None]]] = [
    ("embedded", "confirmed", fire),
    ("broker up", "confirmed", fire),
    ("broker down", "confirmed", fire),
    ("embedded", "confirmed", fire_from_threads),
    ("broker up", "confirmed", fire_from_threads),
    ("embedded", "buffered", fire_and_flush),
    ("broker up", "buffered", fire_and_flush),
]


@pytest.fixture
def home(embedded: Backend, distributed: Backend) -> Callable[[str], Backend]:
    """Give a function that returns where the events of a place are in the end."""
    return lambda place: embedded if place == "embedded" else distributed


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize(("place", "mode", "work"), CASES)
def test_what_was_confirmed_to_a_killed_host_is_counted_once(
    home: Callable[[str], Backend],
    host: Host,
    start: Start,
    tmp_path: Path,
    seed: int,
    kills: int,
    place: str,
    mode: str,
    work: Callable[..., None],
) -> None:
    """By the return of `send` in confirmed mode, by that of `flush` in buffered mode."""
    chance = random.Random(seed)
    report = tmp_path / "confirmed"
    for life in range(kills):
        fires = partial(work, first=life * NUMBERS_PER_LIFE, report=report)
        process = start(where(place, home(place)), fires, STATS_PUBLISH=mode, **FIRING)
        if not life:  # All others may end before anything was confirmed.
            wait_until(
                lambda: report.exists() and bool(report.read_text()),
                timeout_seconds=PATIENCE_SECONDS,
            )
        time.sleep(chance.uniform(SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS))
        assert process.is_running()
        process.kill()
    confirmed = set(map(int, report.read_text().split()))
    # The broker is back: whoever comes first sends what is in the spool.
    pipeline = host(home(place))
    counted = counted_numbers(pipeline)
    assert confirmed <= counted
    assert_at_rest(pipeline, expected_of([downloads(1, first=n)[0] for n in sorted(counted)]))


@pytest.mark.parametrize("place", ["embedded", "broker up", "broker down"])
def test_a_host_that_forks_with_a_full_buffer_and_ends_loses_nothing(
    home: Callable[[str], Backend],
    host: Host,
    tmp_path: Path,
    index_prefix: str,
    place: str,
) -> None:
    """Neither what was in the buffer at the fork, once, nor what both sides fire behind it."""
    run_main("firing", where(place, home(place)), tmp_path, index_prefix)
    assert_at_rest(host(home(place)), expected_of(downloads(300)))


@pytest.mark.parametrize("place", ["embedded", "broker up", "broker down"])
def test_what_is_emitted_when_the_process_is_all_but_over_is_not_lost(
    home: Callable[[str], Backend],
    host: Host,
    tmp_path: Path,
    index_prefix: str,
    place: str,
) -> None:
    """An exit handler of the host may run after ours, when no thread would send anything more."""
    run_main("late", where(place, home(place)), tmp_path, index_prefix)
    assert_at_rest(host(home(place)), expected_of(downloads(2)))


def run_main(module: str, place: Backend, folder: Path, prefix: str) -> None:
    """Run a host's `main` in a process of its own, to its end."""
    configuration = {
        "instance_path": str(folder),
        "STATS_INDEX_PREFIX": prefix,
        **place.settings,
    }
    # By its own name, since its signal is looked for there.
    command = [sys.executable, "-c", f"from tests.faults.{module} import main; main()"]
    subprocess.run([*command, json.dumps(configuration)], cwd=CHECKOUT, check=True, timeout=60)


def where(place: str, home: Backend) -> Backend:
    """Return the place where a host runs."""
    return Backend(home.store_url, NO_BROKER) if place == "broker down" else home


def counted_numbers(pipeline: Pipeline) -> set[int]:
    """Process what waits, and return the numbers of the events that are stored."""
    while pipeline.process_events().taken:
        pass  # as often as there is something, and that has an end
    return {int(event["event_id"].removeprefix("e")) for event in stored_events(pipeline)}
