"""The indexer: takes events from the queue through their preprocessors into the store.

Whatever fails, the batch is either finished as a whole (every event stored, a duplicate, dropped or
a dead letter, and all touched hours marked) or raises, so that its messages stay in the queue.
Doing a batch twice changes nothing.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from reprlib import Repr
from typing import Any

from stats_pipeline.clock import MILLISECOND, Clock, parse_time
from stats_pipeline.errors import ConfigurationError, InvalidEvent, StoreError
from stats_pipeline.events.chain import ChainContext, run_chain, running_in
from stats_pipeline.events.clicks import add_click_keys
from stats_pipeline.events.dead_letters import LONGEST_ERROR, DeadLetter, DeadLetters
from stats_pipeline.events.envelope import check_revision
from stats_pipeline.events.identity import document_id, document_version
from stats_pipeline.events.salts import Salts
from stats_pipeline.events.validation import checked
from stats_pipeline.intervals import Period, hours_of, slot_of
from stats_pipeline.model import Drop, Event
from stats_pipeline.registry import EventDefinition
from stats_pipeline.reports import TypeReport
from stats_pipeline.stores import marks
from stats_pipeline.stores.indices import EventIndices
from stats_pipeline.stores.protocol import ItemResult, Put, Store, Verdict
from stats_pipeline.stores.writing import write

#: Clocks of hosts differ; what lies further ahead than this is a mistake.
LARGEST_STEP_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Be an event that is ready to be stored: its document, its raw form, the hours it touches."""

    raw: Event
    document: Put
    hours: tuple[datetime, ...]


@dataclass(slots=True)
class Batch:
    """Collect what becomes of the events of one batch."""

    prepared: list[Prepared] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    dead: list[DeadLetter] = field(default_factory=list)


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
        salts = Salts(
            store.state,
            definition.alias,
            config.salt_window,
            clock,
            overlap_seconds=self._sliding_seconds,
        )
        self._context = ChainContext.of(definition.settings, salts)

    def index(self, events: Sequence[Any]) -> TypeReport:
        """Store these events, as they came from the queue, and mark the hours that they touch.

        Raises:
            StoreUnavailable, StoreRefused: not everything is done; the same call may be repeated.
        """
        batch = Batch()
        with running_in(self._context):
            for event in events:
                self._prepare(event, batch)
        indexed = self._write(batch)
        self._dead_letters.keep(batch.dead)
        hours = {hour for prepared in batch.prepared for hour in prepared.hours}
        if hours:
            marks.touch(self._store.state, self._definition.alias, hours)
        dropped = sum(batch.dropped.values())
        return TypeReport(
            taken=len(events),
            indexed=indexed,
            duplicates=len(events) - indexed - dropped - len(batch.dead),
            dropped=dropped,
            dead=len(batch.dead),
            reasons=dict(batch.dropped),
        )

    def _prepare(self, raw: Any, batch: Batch) -> None:
        """Sort one event into the batch; only the store's own trouble may escape."""
        name = self._definition.name
        stage = "envelope"
        try:
            self._time_of(raw)
            stage = "preprocessors"
            event = run_chain(self._preprocessors, copy.deepcopy(raw))
            stage = "validation"
            timestamp = self._time_of(event)  # again: a preprocessor may have changed it
            if self._sliding_seconds:
                event = add_click_keys(name, event)
            batch.prepared.append(
                self._place(raw, checked(event, self._definition.template), timestamp)
            )
        except Drop as drop:
            batch.dropped[drop.reason] += 1
        except InvalidEvent as error:
            batch.dead.append(self._dead_letters.of(name, raw, "invalid", str(error), stage))
        # The salts live in the store, and what a preprocessor needs may not be installed: that is
        # nothing against the event.
        except (StoreError, ConfigurationError):
            raise
        except Exception as error:  # noqa: BLE001 - a host's code may raise anything
            why = f"lacks the field {error}" if isinstance(error, KeyError) else _shown(error)
            batch.dead.append(self._dead_letters.of(name, raw, "preprocessor", why, stage))

    def _time_of(self, raw: Any) -> datetime:
        if not isinstance(raw, dict) or not isinstance(raw.get("event_id"), str):
            raise InvalidEvent("An event is a dict with an event_id and a timestamp")
        # It is a part of the document's version, of which one store refuses what is below 0.
        check_revision(raw.get("revision", 0))
        try:
            timestamp = parse_time(raw.get("timestamp"))
        except ValueError as error:
            raise InvalidEvent(f"timestamp: {error}", field="timestamp") from None
        latest = self._clock.now() + LARGEST_STEP_AHEAD
        if not self._earliest <= timestamp <= latest:
            raise InvalidEvent(
                f"timestamp {raw['timestamp']} is implausible: allowed is from "
                f"{self._earliest:%Y-%m-%d} (STATS_EARLIEST) to a day from now",
                field="timestamp",
            )
        return timestamp

    def _place(self, raw: Event, event: Event, timestamp: datetime) -> Prepared:
        slot = self._slot_of(event, timestamp)
        # A window divides a day and an index holds whole days, so slot and event share an index.
        document = Put(
            self._indices.name_of(timestamp),
            document_id(self._definition.name, event, slot),
            event,
            document_version(event, timestamp, self._earliest),
        )
        # What this event changes: the click that its window keeps, or the flags of those before it.
        back = timedelta(seconds=self._sliding_seconds)
        touched = slot or Period(timestamp - back, timestamp + MILLISECOND)
        return Prepared(raw, document, tuple(hours_of(touched)))

    def _slot_of(self, event: Event, timestamp: datetime) -> Period | None:
        """Return the fixed window in which the event is one with others; None: it stands alone."""
        window = self._definition.config.double_click_window
        if self._sliding_seconds or not window or event.get("unique_id") is None:
            return None
        return slot_of(timestamp, window)

    def _write(self, batch: Batch) -> int:
        """Send the winner of each document; return how many documents are new or changed."""
        indexed = 0
        rivals: dict[tuple[str, str], list[Prepared]] = {}
        for prepared in batch.prepared:
            document = prepared.document
            rivals.setdefault((document.index, document.id), []).append(prepared)
        while rivals:
            winners = [max(group, key=_version) for group in rivals.values()]
            for winner in winners:
                self._indices.ensure(parse_time(winner.document.body["timestamp"]))
            results = write(self._store, [winner.document for winner in winners], self._clock)
            indexed += sum(result.verdict is Verdict.DONE for result in results)
            rivals = self._without_rejected(rivals, winners, results, batch)
        return indexed

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
        batch.dead.append(letter)


def _shown(error: Exception) -> str:
    # Not `repr`, which may fail for a host's own exception.
    shown = Repr()
    shown.maxother = LONGEST_ERROR
    return shown.repr(error)


def _version(prepared: Prepared) -> int:
    return prepared.document.version or 0
