"""Dirty intervals: which rows the marks say are out of date, and how a run says that they are not.

A mark belongs to a UTC hour. Where a zone's offset is not a whole hour, two intervals share an
hour; each then adds a part, and the last one to come turns the parts into the name. What is sealed
is never dirty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from stats_pipeline.clock import format_time
from stats_pipeline.intervals import HOUR, Period, period_of, tile
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.stores import marks
from stats_pipeline.stores.protocol import Record, State
from stats_pipeline.stores.seals import Seal, read_seal

#: Between the name of a generation and the start of an interval, in the tag of a part.
PART = "@"

#: Marks that are read and changed together.
FORGOTTEN_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class DirtyInterval:
    """Be an interval to recompute, and the keys of the marks that say so."""

    period: Period
    mark_keys: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Return the start of the interval, as leases and reports call it."""
        return format_time(self.period.start)


class DirtyMarks:
    """Read and finish the marks of one generation of one aggregation."""

    def __init__(self, state: State, definition: AggregationDefinition, done_name: str) -> None:
        self._state = state
        self._config = definition.config
        self._event_alias = definition.event.alias
        self._done_name = done_name

    def intervals(self, start: datetime | None, end: datetime | None) -> list[DirtyInterval]:
        """Return the dirty intervals that overlap ``[start, end)``, oldest first."""
        found: dict[Period, DirtyInterval] = {}
        seal = read_seal(self._state, self._event_alias)
        hours = marks.dirty_hours(
            self._state, self._event_alias, self._done_name, *self._bounds(start, end)
        )
        for mark in hours:
            for period in self._dirty_periods(mark, seal):
                if _overlaps(period, start, end):
                    found.setdefault(period, DirtyInterval(period)).mark_keys.append(mark.key)
        return [found[period] for period in sorted(found)]

    def is_dirty(self, mark: Record, seal: Seal) -> bool:
        """Tell whether an interval that is not sealed has yet to take this mark into account."""
        return self._done_name not in mark.tags and any(self._dirty_periods(mark, seal))

    def is_sealed(self, period: Period) -> bool:
        """Tell whether the rows of this interval are final (realtime)."""
        return read_seal(self._state, self._event_alias).is_sealed(period)

    def read(self, interval: DirtyInterval) -> list[Record]:
        """Return those of the interval's marks that are still dirty now (realtime)."""
        found = self._state.get(marks.KIND, interval.mark_keys)
        part = self._part(interval.period)
        return [mark for mark in found if mark and not {self._done_name, part} & mark.tags]

    def finish(self, read: Sequence[Record], period: Period) -> None:
        """Say that the interval is done with what these marks said when they were read."""
        for group in self._by_sharing(read):
            sharing = frozenset(self._part(other) for other in self._periods(group[0]))
            change = _adding(self._part(period), sharing, self._done_name)
            marks.change_tags(self._state, group, change)

    def reopen(self, read: Sequence[Record], period: Period) -> None:
        """Make these marks dirty again, for an interval that must be recomputed."""
        removed = {self._done_name, self._part(period)}
        marks.change_tags(self._state, read, lambda tags: tags - removed)

    def reopen_all(self, start: datetime | None, end: datetime | None) -> None:
        """Make what overlaps ``[start, end)`` dirty again where it has marks and is not sealed."""
        seal = read_seal(self._state, self._event_alias)
        first, last = self._bounds(start, end)
        found = [
            mark
            for mark in self._state.find(marks.KIND, group=self._event_alias, start=first, end=last)
            if any(
                _overlaps(period, start, end) and not seal.is_sealed(period)
                for period in self._periods(mark)
            )
        ]
        tags = {self._done_name}
        tags |= {self._part(period) for mark in found for period in self._periods(mark)}
        marks.change_tags(self._state, found, lambda before: before - tags)

    def forget(self) -> None:
        """Take this generation, of which nothing is left, out of all marks."""
        found = self._state.find(marks.KIND, group=self._event_alias)

        own = f"{self._done_name}{PART}"

        def without_own(tags: frozenset[str]) -> frozenset[str]:
            return frozenset(tag for tag in tags if not f"{tag}{PART}".startswith(own))

        while batch := list(islice(found, FORGOTTEN_AT_ONCE)):
            named = [mark for mark in batch if without_own(mark.tags) != mark.tags]
            marks.change_tags(self._state, named, without_own)

    def _bounds(
        self, start: datetime | None, end: datetime | None
    ) -> tuple[datetime | None, datetime | None]:
        interval, zone = self._config.aggregation_interval, self._config.time_zone
        first = None if start is None else period_of(start, interval, zone).start - HOUR
        last = None if end is None else period_of(end, interval, zone).end + HOUR
        return first, last

    def _dirty_periods(self, mark: Record, seal: Seal) -> Iterator[Period]:
        for period in self._periods(mark):
            if self._part(period) not in mark.tags and not seal.is_sealed(period):
                yield period

    def _periods(self, mark: Record) -> list[Period]:
        if mark.time is None:
            return []
        config = self._config
        return list(
            tile(mark.time, mark.time + HOUR, config.aggregation_interval, config.time_zone)
        )

    def _by_sharing(self, read: Sequence[Record]) -> list[list[Record]]:
        """Return the marks in groups whose hours are shared by the same intervals."""
        groups: dict[tuple[Period, ...], list[Record]] = {}
        for mark in read:
            groups.setdefault(tuple(self._periods(mark)), []).append(mark)
        return list(groups.values())

    def _part(self, period: Period) -> str:
        return f"{self._done_name}{PART}{format_time(period.start)}"


def _overlaps(period: Period, start: datetime | None, end: datetime | None) -> bool:
    return (start is None or period.end > start) and (end is None or period.start < end)


def _adding(
    part: str, sharing: frozenset[str], done_name: str
) -> Callable[[frozenset[str]], frozenset[str]]:
    """Return what adds a part to a mark's tags, and turns all parts together into the name."""

    def change(tags: frozenset[str]) -> frozenset[str]:
        parts = tags | {part}
        return (parts - sharing) | {done_name} if sharing <= parts else parts

    return change
