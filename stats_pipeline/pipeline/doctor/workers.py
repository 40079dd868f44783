"""Whether somebody drains each queue: a probe goes in, and its answer must come back."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from stats_pipeline.errors import StatsError
from stats_pipeline.events import probes
from stats_pipeline.pipeline.doctor.report import Examination, Hop, Unsound
from stats_pipeline.registry import EventDefinition

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

#: How often the doctor looks for an answer.
POLL_SECONDS = 0.2

#: How far the clocks of worker and doctor may differ.
CLOCKS_DIFFER = timedelta(minutes=5)

#: When an answer that nobody took is removed; far longer than anybody waits.
FORGOTTEN_AFTER = timedelta(days=1)

START = (
    "start `stats serve`, or with RabbitMQ `celery -A stats_pipeline.worker worker -B`; to process "
    "once, `stats events process`. If one runs: has it the same STATS_STORE_URL, STATS_BROKER_URL "
    "and STATS_INDEX_PREFIX, is this event type active there, and is it only busy (--wait)?"
)


def examine(
    examination: Examination,
    pipeline: Pipeline,
    *,
    queues: Mapping[EventDefinition, Hop],
    store: Hop,
    wait_seconds: float,
) -> None:
    """Ask whoever drains the queue of each event type to answer, all at the same time."""
    if wait_seconds <= 0:
        for definition in queues:
            why = "no time was given to wait for one"
            examination.add(Hop(name=_name(definition), status="not tried", detail=why))
        return
    sent = {
        definition: _send(pipeline, definition, wait_seconds)
        for definition, queue in queues.items()
        if queue.is_ok and store.is_ok
    }
    deadline = pipeline.clock.monotonic() + wait_seconds
    for definition, queue in queues.items():
        examination.attempt(
            _name(definition),
            partial(_wait, pipeline, sent.get(definition), deadline),
            after=[queue, store],
            advice=START,
        )
    with suppress(StatsError):  # What is left is removed the next time.
        before = pipeline.clock.now() - FORGOTTEN_AFTER
        probes.forget_answers(pipeline.store.state, before=before)


def _name(definition: EventDefinition) -> str:
    return f"worker for {definition.name}"


def _send(
    pipeline: Pipeline, definition: EventDefinition, wait_seconds: float
) -> probes.Probe | StatsError:
    valid = timedelta(seconds=wait_seconds) + CLOCKS_DIFFER
    probe = probes.Probe(secrets.token_hex(16), pipeline.clock.now() + valid)
    try:
        pipeline.queue.publish(definition.queue_name, [probes.encode(probe)])
    except StatsError as error:
        return error
    return probe


def _wait(pipeline: Pipeline, probe: probes.Probe | StatsError | None, deadline: float) -> str:
    if not isinstance(probe, probes.Probe):
        raise probe or Unsound("no test message was sent")
    clock, state = pipeline.clock, pipeline.store.state
    while (answer := probes.take_answer(state, probe)) is None:
        if clock.monotonic() >= deadline:
            raise Unsound(
                "nobody has taken the test message, which waits in the queue and counts nothing"
            )
        clock.sleep(POLL_SECONDS)
    return f"answered by process {answer.pid} on {answer.host}, version {answer.version}"
