"""Probes go through a queue as messages without events, and are answered once they are taken."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from stats_pipeline import __version__
from stats_pipeline.clock import ManualClock
from stats_pipeline.events import probes
from stats_pipeline.events.messages import decode
from stats_pipeline.stores.opening import open_store

NOW = datetime(2016, 12, 20, 12, tzinfo=UTC)
PROBE = probes.Probe("0123456789abcdef" * 2, NOW + timedelta(minutes=5))


def test_a_probe_is_read_as_it_was_written_and_holds_no_event() -> None:
    """A worker that knows nothing of probes takes it for a message of nothing."""
    body = probes.encode(PROBE)
    assert probes.read(body) == PROBE
    assert decode(body).events == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"events": []}',
        b'{"probe": ',
        b'{"probe": 7}',
        b'{"probe": {"id": 7, "valid_until": "2016-12-20"}}',
        b'{"probe": {"id": "short", "valid_until": "2016-12-20T00:00:00Z"}}',
        b'{"probe": {"id": "0123456789abcdef0123456789abcdef", "valid_until": "soon"}}',
        b'{"probe": ' + b"[" * 100_000,
        probes.encode(PROBE) + b" " * 1_000,
        json.dumps({"events": [], "probe": {}}).encode(),
    ],
)
def test_everything_else_is_no_probe(body: bytes) -> None:
    """A stranger's message never makes a record."""
    assert probes.read(body) is None


def test_an_answer_says_who_has_taken_it_and_is_there_once() -> None:
    """Whoever waits for it takes it away."""
    state = open_store("sqlite://", index_prefix="").state
    assert probes.take_answer(state, PROBE) is None
    probes.answer(state, PROBE, ManualClock(NOW))
    answer = probes.take_answer(state, PROBE)
    assert answer is not None
    assert (answer.pid, answer.version, answer.time) == (os.getpid(), __version__, NOW)
    assert probes.take_answer(state, PROBE) is None


def test_nobody_answers_a_probe_that_nobody_waits_for() -> None:
    """A worker that starts a day later leaves no record; what is left goes with time."""
    state = open_store("sqlite://", index_prefix="").state
    clock = ManualClock(NOW)
    probes.answer(state, PROBE, clock)
    probes.forget_answers(state, before=NOW)
    assert len(list(state.find(probes.KIND))) == 1
    probes.forget_answers(state, before=NOW + timedelta(days=1))
    clock.advance(86_400)
    probes.answer(state, PROBE, clock)
    assert list(state.find(probes.KIND)) == []
