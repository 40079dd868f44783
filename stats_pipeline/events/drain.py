"""Drain a queue: gather messages, let the indexer do them as one batch, then acknowledge."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

from stats_pipeline.clock import Clock
from stats_pipeline.errors import StatsError
from stats_pipeline.events.dead_letters import DeadLetters
from stats_pipeline.events.envelope import decode
from stats_pipeline.queues.protocol import Consumer, Message, Queue
from stats_pipeline.registry import EventDefinition
from stats_pipeline.reports import TypeReport

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

#: Events in one bulk: enough to be fast, little enough to be held in memory many times over.
BATCH_EVENTS = 2_000

#: A batch of at least so many events of which more than the share is dead ends the drain.
ALARM_EVENTS = 1_000
ALARM_SHARE = 0.05


class Indexer(Protocol):
    """Take events into the store; what a `processor_class` makes."""

    def index(self, events: list[Any]) -> TypeReport:
        """Store these events; safe to repeat."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Be a finished batch, and about how many events were waiting behind it."""

    report: TypeReport
    waiting_events: int


def drain(
    definition: EventDefinition,
    indexer: Indexer,
    *,
    queue: Queue,
    dead_letters: DeadLetters,
    clock: Clock,
    time_limit_seconds: float | None = None,
    progress: Progress | None = None,
) -> TypeReport:
    """Process the waiting events of one type until none is left or the time is up.

    One batch is done in any case. Messages are acknowledged after their batch is finished; on an
    error, which the report then tells, they stay in the queue.
    """
    deadline = clock.monotonic() + (inf if time_limit_seconds is None else time_limit_seconds)
    report = TypeReport()
    try:
        for batch in _batches(definition, indexer, queue, dead_letters):
            report += batch.report
            if progress:
                progress(report.taken, report.taken + batch.waiting_events)
            if batch.report.alarm or clock.monotonic() >= deadline:
                break
    except StatsError as error:
        logger.error("%s: %s", definition.title, error)
        return report + TypeReport(error=str(error))
    return report


def _batches(
    definition: EventDefinition, indexer: Indexer, queue: Queue, dead_letters: DeadLetters
) -> Iterator[Batch]:
    with queue.consume(definition.queue_name) as consumer:
        while True:
            messages, events, undecodable = _gather(consumer)
            if not messages:
                return
            batch = indexer.index(events)
            dead_letters.keep(
                [
                    dead_letters.of(definition.name, text, "undecodable", error, "queue")
                    for text, error in undecodable
                ]
            )
            consumer.acknowledge(messages)
            lost = TypeReport(taken=len(undecodable), dead=len(undecodable))
            report = batch + lost + TypeReport(alarm=_alarm(batch + lost))
            # A guess: the messages that wait are as large as these were.
            waiting = queue.depth(definition.queue_name) * report.taken // len(messages)
            yield Batch(report, waiting)


def _gather(consumer: Consumer) -> tuple[list[Message], list[Any], list[tuple[str, str]]]:
    messages: list[Message] = []
    events: list[Any] = []
    undecodable: list[tuple[str, str]] = []
    while len(events) < BATCH_EVENTS and (message := consumer.take()) is not None:
        messages.append(message)
        try:
            events += decode(message.body)
        except ValueError as error:
            undecodable.append((message.body.decode("utf-8", "backslashreplace"), str(error)))
    return messages, events, undecodable


def _alarm(batch: TypeReport) -> str:
    if batch.taken < ALARM_EVENTS or batch.dead <= batch.taken * ALARM_SHARE:
        return ""
    return (
        f"{batch.dead} of {batch.taken} events became dead letters: look at them with "
        "`stats dead-letters list` before more are processed"
    )
