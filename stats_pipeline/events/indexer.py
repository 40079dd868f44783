"""The indexer: takes events from the queue through their preprocessors into the store.

Whatever fails, the batch is either finished as a whole (every event stored, a duplicate, dropped or
a dead letter, and all touched hours marked) or raises, so that its messages stay in the queue.
Doing a batch twice changes nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from reprlib import Repr
from typing import Any

from stats_pipeline.clock import Clock, parse_time
from stats_pipeline.errors import ConfigurationError, InvalidEvent, StoreError, TooLate
from stats_pipeline.events.chain import ChainContext, run_chain, running_in
from stats_pipeline.events.clicks import add_click_keys
from stats_pipeline.events.dead_letters import DeadLetters
from stats_pipeline.events.envelope import check_plausible, check_revision, check_size, to_json
from stats_pipeline.events.letter import LONGEST_ERROR, DeadLetter, Kind
from stats_pipeline.events.placing import Placing
from stats_pipeline.events.validation import checked
from stats_pipeline.intervals import hour_of
from stats_pipeline.model import Drop, Event
from stats_pipeline.registry import EventDefinition
from stats_pipeline.reports import Outcome
from stats_pipeline.stores import marks
from stats_pipeline.stores.indices import EventIndices
from stats_pipeline.stores.protocol import ItemResult, Put, Store, Verdict
from stats_pipeline.stores.seals import Doorkeeper
from stats_pipeline.stores.writing import write

#: What an event is until it is known better.
DUPLICATE = Outcome("duplicates")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Be an event that is ready to be stored.

    Attributes:
        position: its place in the batch.
        raw: as it came from the queue.
        document: as it is stored.
        hour: that its timestamp lies in.
        touched: the hours whose marks it changes.
    """

    position: int
    raw: Event
    document: Put
    hour: datetime
    touched: tuple[datetime, ...]


@dataclass(slots=True)
class Batch:
    """Collect what becomes of the events of one batch, each at its position."""

    outcomes: list[Outcome]
    prepared: list[Prepared] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)

    def bury(self, position: int, letter: DeadLetter, hour: datetime | None) -> None:
        """Note that this event becomes a dead letter."""
        self.dead.append(letter)
        self.outcomes[position] = Outcome("dead", hour)


class EventsIndexer:
    """Index the events of one type.

    Args:
        definition: of the event type.
        store: where documents, marks and salts live.
        dead_letters: where events go that can't be counted.
        clock: for implausible times and for waiting between tries.
        earliest: events before this time are dead letters.
    """

    def __init__(
        self,
        definition: EventDefinition,
        *,
        store: Store,
        dead_letters: DeadLetters,
        clock: Clock,
        earliest: datetime,
    ) -> None:
        config = definition.config
        self._definition = definition
        # Here, since what can't be imported is the host's fault and not that of any event.
        self._preprocessors = definition.preprocessors
        self._store = store
        self._dead_letters = dead_letters
        self._clock = clock
        self._earliest = earliest
        self._indices = EventIndices(store, definition.template, config.index_interval)
        self._sliding_seconds = config.sliding_seconds
        self._placing = Placing(definition, self._indices, earliest)
        self._doorkeeper = Doorkeeper(store.state, definition.alias, clock)
        self._context = ChainContext.of(definition, store.state, clock)

    def index(self, events: Sequence[Any]) -> list[Outcome]:
        """Store these events, as they came from the queue, and mark the hours that they touch.

        Returns what became of each, in their order.

        Raises:
            StoreUnavailable, StoreRefused: not everything is done; the same call may be repeated.
        """
        batch = Batch([DUPLICATE] * len(events))
        with running_in(self._context):
            for position, event in enumerate(events):
                self._prepare(position, event, batch)
        self._write(batch)
        self._dead_letters.keep(batch.dead)
        hours = {hour for prepared in batch.prepared for hour in prepared.touched}
        if hours:
            marks.touch(self._store.state, self._definition.alias, hours)
        return batch.outcomes

    def _prepare(self, position: int, raw: Any, batch: Batch) -> None:
        """Sort one event into the batch; only the store's own trouble may escape."""
        stage, hour = "envelope", None
        try:
            check_size(len(to_json(raw)))  # `publish` does, but not all messages come by `publish`
            timestamp = self._time_of(raw)
            hour = hour_of(timestamp)
            stage = "sealed"
            self._doorkeeper.refuse_closed(timestamp)
            stage = "preprocessors"
            event = run_chain(self._preprocessors, copy.deepcopy(raw))
            stage = "validation"
            timestamp = self._time_of(event)  # again: a preprocessor may have changed it
            hour = hour_of(timestamp)
            stage = "sealed"
            self._doorkeeper.refuse_closed(timestamp)
            stage = "validation"
            if self._sliding_seconds:
                event = add_click_keys(self._definition.name, event)
            event = checked(event, self._definition.template)
            batch.prepared.append(self._place(position, raw, event, timestamp))
            batch.outcomes[position] = Outcome("duplicates", hour)
        except Drop as drop:
            batch.outcomes[position] = Outcome("dropped", hour, drop.reason)
        # The salts live in the store, and what a preprocessor needs may not be installed: that is
        # nothing against the event.
        except (StoreError, ConfigurationError):
            raise
        except Exception as error:  # noqa: BLE001 - a host's code may raise anything
            kind, why = _why(error)
            letter = self._dead_letters.of(self._definition.name, raw, kind, why, stage)
            batch.bury(position, letter, hour)

    def _time_of(self, raw: Any) -> datetime:
        if not isinstance(raw, dict) or not isinstance(raw.get("event_id"), str):
            raise InvalidEvent("An event is a dict with an event_id and a timestamp")
        # It is a part of the document's version, of which one store refuses what is below 0.
        check_revision(raw.get("revision"))
        try:
            timestamp = parse_time(raw.get("timestamp"))
        except ValueError as error:
            raise InvalidEvent(f"timestamp: {error}", field="timestamp") from None
        check_plausible(
            timestamp, earliest=self._earliest, now=self._clock.now(), shown=raw["timestamp"]
        )
        return timestamp

    def _place(self, position: int, raw: Event, event: Event, timestamp: datetime) -> Prepared:
        document = self._placing.document(event, timestamp)
        touched = tuple(self._placing.touched(event, timestamp))
        return Prepared(position, raw, document, hour_of(timestamp), touched)

    def _write(self, batch: Batch) -> None:
        """Send the winner of each document."""
        rivals: dict[tuple[str, str], list[Prepared]] = {}
        for prepared in batch.prepared:
            document = prepared.document
            rivals.setdefault((document.index, document.id), []).append(prepared)
        while rivals:
            winners = [max(group, key=_version) for group in rivals.values()]
            for winner in winners:
                self._indices.ensure(parse_time(winner.document.body["timestamp"]))
            results = write(self._store, [winner.document for winner in winners], self._clock)
            for winner, result in zip(winners, results, strict=True):
                if result.verdict is Verdict.DONE:
                    batch.outcomes[winner.position] = Outcome("indexed", winner.hour)
            rivals = self._without_rejected(rivals, winners, results, batch)

    def _without_rejected(
        self,
        rivals: dict[tuple[str, str], list[Prepared]],
        winners: Sequence[Prepared],
        results: Sequence[ItemResult],
        batch: Batch,
    ) -> dict[tuple[str, str], list[Prepared]]:
        """Bury the winners that the store will never take; return who may still win instead."""
        remaining = {}
        for (key, group), winner, result in zip(rivals.items(), winners, results, strict=True):
            if result.verdict is Verdict.NEVER:
                self._reject(winner, result.reason, batch)
                others = [prepared for prepared in group if prepared is not winner]
                if others:
                    remaining[key] = others
        return remaining

    def _reject(self, prepared: Prepared, reason: str, batch: Batch) -> None:
        letter = self._dead_letters.of(
            self._definition.name, prepared.raw, "rejected", reason, "store"
        )
        batch.bury(prepared.position, letter, prepared.hour)


def _why(error: Exception) -> tuple[Kind, str]:
    """Return what kind of dead letter this makes of an event, and what it says."""
    if isinstance(error, TooLate):
        return "too_late", str(error)
    if isinstance(error, InvalidEvent):
        return "invalid", str(error)
    # Not `repr`, which may fail for a host's own exception.
    return "preprocessor", (
        f"lacks the field {error}" if isinstance(error, KeyError) else _shown(error)
    )


def _shown(error: Exception) -> str:
    shown = Repr()
    shown.maxother = LONGEST_ERROR
    return shown.repr(error)


def _version(prepared: Prepared) -> int:
    return prepared.document.version or 0
