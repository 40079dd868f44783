"""The ledger: one entry for each message that workers have finished, whatever became of its events.

An entry is written before the acknowledgement, under an id made of publisher and number, so that a
redelivered message has one entry. A number that is missing between others is a message that nobody
has processed. `stats_pipeline.pipeline.balance` compares the ledger with what is stored.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from typing import Any, Literal

from stats_pipeline.clock import Clock, format_time, parse_time
from stats_pipeline.errors import StoreRefused
from stats_pipeline.events.identity import digest
from stats_pipeline.events.messages import Received
from stats_pipeline.model import Filter
from stats_pipeline.reports import Outcome
from stats_pipeline.stores.protocol import Delete, Document, Put, Store
from stats_pipeline.stores.writing import write, write_all
from stats_pipeline.templates import IndexTemplate

ALIAS = "stats_pipeline-ledger"

Status = Literal["processed", "refused", "lost"]

#: Versions of entries: what was processed takes the place of what its publisher believed to have
#: failed. And of two deliveries of a message, the one with more events that are stored: an event
#: that was stored by the first may fail at the second.
_GIVEN_UP, _PROCESSED = 1, 2

#: Entries that are removed in one bulk.
REMOVED_AT_ONCE = 1_000

_PROPERTIES: dict[str, dict[str, Any]] = {
    "event_type": {"type": "keyword"},
    "publisher": {"type": "keyword"},
    "sequence": {"type": "long"},
    "settled": {"type": "long"},
    "status": {"type": "keyword"},
    "time": {"type": "date"},
    # The last hour that any of its events lies in.
    "latest": {"type": "date"},
    "events": {"type": "long"},
    "hours": {"type": "text", "index": False},
    "reasons": {"type": "text", "index": False},
}


@dataclass(slots=True)
class Hour:
    """Count the events of an hour: how many came in, and how many were dropped or are dead."""

    accepted: int = 0
    dropped: int = 0
    dead: int = 0

    @property
    def storable(self) -> int:
        """Return how many documents there are at most."""
        return self.accepted - self.dropped - self.dead

    def add(self, other: Hour) -> None:
        """Add these counts."""
        self.accepted += other.accepted
        self.dropped += other.dropped
        self.dead += other.dead


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Be what became of one message.

    Attributes:
        event_type: of its events.
        publisher: who sent it, empty for a stranger's.
        sequence: its number; for a stranger's message something that stands for its content.
        status: ``processed`` by a worker; or given up by its publisher, which was ``refused`` in
            the caller's face or is ``lost``.
        events: how many it held.
        time: when this was written.
        settled: up to this number of the same publisher all were taken or given up by then.
        hours: hour of the event's time -> counts; None stands for events without a valid time.
        reasons: reason -> how many events were dropped for it.
    """

    event_type: str
    publisher: str
    sequence: int | str
    status: Status
    events: int
    time: datetime
    settled: int = 0
    hours: Mapping[datetime | None, Hour] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)


class Ledger:
    """Keep and read the entries.

    Args:
        store: where they are.
        prefix: stands before the names of their indices.
        clock: for their time.
    """

    def __init__(self, store: Store, *, prefix: str, clock: Clock) -> None:
        self._store = store
        self._alias = prefix + ALIAS
        self._clock = clock
        self._known: set[str] = set()

    def processed(
        self, event_type: str, message: Received, outcomes: Sequence[Outcome]
    ) -> list[Entry]:
        """Return the entries of a message whose events became this, and of what it reports."""
        hours: dict[datetime | None, Hour] = {}
        reasons: dict[str, int] = {}
        for outcome in outcomes:
            hour = hours.setdefault(outcome.hour, Hour())
            hour.accepted += 1
            hour.dropped += outcome.kind == "dropped"
            hour.dead += outcome.kind == "dead"
            if outcome.kind == "dropped":
                reasons[outcome.reason] = reasons.get(outcome.reason, 0) + 1
        now = self._clock.now()
        given_up = [
            Entry(
                event_type=event_type,
                publisher=message.publisher,
                sequence=each.sequence,
                status="lost" if each.is_lost else "refused",
                events=each.events,
                time=now,
            )
            for each in message.given_up
        ]
        sequence = message.sequence or digest("message", json.dumps(message.events, default=str))
        entry = Entry(
            event_type=event_type,
            publisher=message.publisher,
            sequence=sequence,
            status="processed",
            events=len(outcomes),
            time=now,
            settled=message.settled,
            hours=hours,
            reasons=reasons,
        )
        return [*given_up, entry]

    def enter(self, entries: Sequence[Entry]) -> None:
        """Write entries of one event type; durable when it returns."""
        if not entries:
            return
        index = self._ensure(entries[0].event_type)
        operations = [
            Put(index, _id(entry), _body(entry), _version(entry), is_same=True) for entry in entries
        ]
        try:
            write_all(self._store, operations, self._clock, what="an entry of the ledger")
        except StoreRefused:
            self._known.clear()  # Perhaps its index was deleted: made again at the next try.
            raise

    def read(self, event_type: str) -> Iterator[Entry]:
        """Yield the entries of an event type by publisher and number, strangers' first."""
        index = self._index(event_type)
        self._store.refresh([index])
        with self._store.snapshot([index]) as snapshot:
            for document in snapshot.scan(Filter(), ["publisher", "sequence"]):
                yield _read(document.body)

    def expire(
        self, event_type: str, *, latest_before: datetime, before: datetime, dry_run: bool
    ) -> int:
        """Remove the entries of publishers that are long over; return how many.

        All entries of a publisher or none, so that there is never a hole among its numbers: where
        all events of all its messages are from before `latest_before`, and all were entered before
        `before`. What strangers sent has no numbers and goes one by one.
        """
        index = self._index(event_type)
        self._store.refresh([index])
        latest, entered = format_time(latest_before), format_time(before)
        expired = 0
        with self._store.snapshot([index]) as snapshot:
            found = snapshot.scan(Filter(), ["publisher", "sequence"])
            for publisher, documents in groupby(found, lambda each: each.body["publisher"]):
                ids = _expired(publisher, documents, latest, entered)
                while some := list(islice(ids, REMOVED_AT_ONCE)):
                    expired += len(some)
                    if not dry_run:
                        write(self._store, [Delete(index, id_) for id_ in some], self._clock)
        return expired

    def forget(self, event_type: str) -> None:
        """Remove the entries of an event type for good."""
        index = self._index(event_type)
        self._store.delete_indices([index])
        self._known.discard(index)

    def _index(self, event_type: str) -> str:
        return f"{self._alias}-{event_type}"

    def _ensure(self, event_type: str) -> str:
        index = self._index(event_type)
        if index not in self._known:
            template = IndexTemplate(self._alias, _PROPERTIES, {}, {})
            self._store.put_template(template)
            self._store.create_index(index, template, aliased=True)
            self._known.add(index)
        return index


def _expired(
    publisher: str, documents: Iterator[Document], latest: str, entered: str
) -> Iterator[str]:
    """Yield the ids of strangers' old entries, or of a publisher's if all of them are old.

    A publisher's come with the last one first: what is left by a run that dies begins with 1.
    """
    numbers = array("q")
    for document in documents:
        body = document.body
        is_old = body["time"] < entered and (body.get("latest") or "") < latest
        if publisher and not is_old:
            return
        if publisher:
            numbers.append(body["sequence"])
        elif is_old:
            yield document.id
    yield from (f"{publisher}/{number}" for number in reversed(numbers))


def _id(entry: Entry) -> str:
    return f"{entry.publisher}/{entry.sequence}"


def _version(entry: Entry) -> int:
    if entry.status != "processed":
        return _GIVEN_UP
    return _PROCESSED + sum(counts.storable for counts in entry.hours.values())


def _body(entry: Entry) -> dict[str, Any]:
    hours = {
        "" if hour is None else format_time(hour): [each.accepted, each.dropped, each.dead]
        for hour, each in entry.hours.items()
    }
    return {
        "event_type": entry.event_type,
        "publisher": entry.publisher,
        # A stranger's message has no number; its id stands for its content.
        "sequence": entry.sequence if isinstance(entry.sequence, int) else 0,
        "settled": entry.settled,
        "status": entry.status,
        "time": format_time(entry.time),
        "latest": max(filter(None, hours), default=None),
        "events": entry.events,
        "hours": json.dumps(hours),
        "reasons": json.dumps(entry.reasons),
    }


def _read(body: Mapping[str, Any]) -> Entry:
    return Entry(
        event_type=body["event_type"],
        publisher=body["publisher"],
        sequence=body["sequence"],
        status=body["status"],
        events=body["events"],
        time=parse_time(body["time"]),
        settled=body.get("settled", body["sequence"] - 1),
        hours={
            parse_time(hour) if hour else None: Hour(*counts)
            for hour, counts in json.loads(body["hours"]).items()
        },
        reasons=json.loads(body["reasons"]),
    )
