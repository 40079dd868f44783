"""The balance sheet: is every event that was accepted stored, a duplicate, dropped or dead?

Nobody counts duplicates: they are what remains. More stored than accepted, or a hole among the
numbers of a publisher's messages, is what a loss looks like. No loss is a hole behind the number up
to which the publisher has said that all were settled: it was sending them, and told nobody that
they were taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from stats_pipeline.clock import format_time
from stats_pipeline.events.ledger import Entry, Hour
from stats_pipeline.intervals import DAY, HOUR
from stats_pipeline.model import Filter
from stats_pipeline.reports import Balance, Missing
from stats_pipeline.stores.protocol import Snapshot
from stats_pipeline.stores.seals import read_seal

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

#: What is stored at a time of which no entry of the ledger knows.
ELSEWHEN = "other times"


@dataclass(slots=True)
class _Sums:
    """Add up the entries of one event type, but for the hours before `since`."""

    since: datetime | None = None
    hours: dict[datetime | None, Hour] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    given_up: Counter[str] = field(default_factory=Counter)
    missing: list[Missing] = field(default_factory=list)
    unsettled: list[Missing] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        if entry.status == "processed":
            known = {hour: n for hour, n in entry.hours.items() if not self._is_left_out(hour)}
            for hour, counts in known.items():
                self.hours.setdefault(hour, Hour()).add(counts)
            if known:
                self.reasons.update(entry.reasons)
        else:
            self.given_up[entry.status] += entry.events

    def _is_left_out(self, hour: datetime | None) -> bool:
        return self.since is not None and hour is not None and hour < self.since

    @property
    def total(self) -> Hour:
        total = Hour()
        for counts in self.hours.values():
            total.add(counts)
        return total


@dataclass(slots=True)
class _Holes:
    """Find the holes among the numbers of one publisher, whose entries come by number."""

    last: int = 0
    settled: int = 0
    found: list[Missing] = field(default_factory=list)

    def look_at(self, entry: Entry) -> None:
        number = int(entry.sequence)
        if number > self.last + 1:
            noticed_at = format_time(entry.time)
            hole = Missing(entry.publisher, self.last + 1, number - 1, noticed_at=noticed_at)
            self.found.append(hole)
        self.last = number
        self.settled = max(self.settled, entry.settled)

    @property
    def missing(self) -> list[Missing]:
        return [
            replace(hole, last=min(hole.last, self.settled))
            for hole in self.found
            if hole.first <= self.settled
        ]

    @property
    def unsettled(self) -> list[Missing]:
        return [
            replace(hole, first=max(hole.first, self.settled + 1))
            for hole in self.found
            if hole.last > self.settled
        ]


def balance_of(pipeline: Pipeline, event_type: str) -> Balance:
    """Return the balance of one active event type; reads its whole ledger."""
    definition = pipeline.registries.event_type(event_type)
    since = read_seal(pipeline.store.state, definition.alias).sealed_before
    sums = _Sums(since=since)
    entries = pipeline.ledger.read(event_type)
    for publisher, of_publisher in groupby(entries, lambda entry: entry.publisher):
        holes = _Holes()
        for entry in of_publisher:
            sums.add(entry)
            # Strangers' messages have no numbers.
            if publisher:
                holes.look_at(entry)
        sums.missing += holes.missing
        sums.unsettled += holes.unsettled
    pipeline.store.refresh([definition.alias])
    with pipeline.store.snapshot([definition.alias]) as events:
        everything = Filter() if since is None else Filter().between("timestamp", since)
        stored = events.count(everything)
        surplus = dict(_surplus(events, stored, sums.hours))
    total = sums.total
    name = definition.queue_name
    return Balance(
        since=None if since is None else format_time(since),
        accepted=total.accepted,
        stored=stored,
        duplicates=total.accepted - stored - total.dropped - total.dead,
        dropped=total.dropped,
        dead=total.dead,
        reasons=dict(sums.reasons),
        refused=sums.given_up["refused"],
        lost=sums.given_up["lost"],
        missing=tuple(sums.missing),
        unsettled=tuple(sums.unsettled),
        surplus=surplus,
        waiting_messages=pipeline.queue.depth(name) if pipeline.queue.exists(name) else 0,
        spooled_messages=pipeline.publisher.spooled(),
    )


def _surplus(
    events: Snapshot, stored: int, hours: Mapping[datetime | None, Hour]
) -> Iterator[tuple[str, int]]:
    """Yield where more is stored than the ledger knows of."""
    days: dict[datetime, dict[datetime, Hour]] = {}
    for hour, counts in hours.items():
        if hour is not None:
            days.setdefault(hour.replace(hour=0), {})[hour] = counts
    known = 0
    for day, of_day in sorted(days.items()):
        # Hour by hour: what is too much in one is no duplicate of another.
        found = {hour: _count(events, hour, HOUR) for hour in of_day}
        in_day = _count(events, day, DAY)
        known += in_day
        if in_day > sum(found.values()):
            others = {day + number * HOUR for number in range(24)} - found.keys()
            found |= {hour: _count(events, hour, HOUR) for hour in others}
        for hour, number in sorted(found.items()):
            more = number - of_day.get(hour, Hour()).storable
            if more > 0:
                yield format_time(hour), more
    if stored > known:
        yield ELSEWHEN, stored - known


def _count(events: Snapshot, start: datetime, length: timedelta) -> int:
    return events.count(Filter().between("timestamp", start, start + length))
