"""Seals: up to where the events of a type are closed, and its rows final.

One record for each event type, changed by compare-and-swap. Closing comes first: workers refuse
what is older. Rows are sealed an hour later at the earliest, when every aggregation has counted
what came before; only then may the events go. So an event of a worker that did not know yet is
either counted, or keeps its time from being sealed. Both bounds only grow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from stats_pipeline.clock import Clock, format_time, parse_time
from stats_pipeline.errors import TooLate
from stats_pipeline.intervals import Period
from stats_pipeline.stores.protocol import Record, State

KIND = "seal"

#: How long a worker trusts what it has read.
CACHE_SECONDS = 5.0

#: From closing to sealing. No batch takes that long, nor does any worker trust what it has read.
GRACE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Seal:
    """Be what of an event type is closed.

    Attributes:
        closing_before: events before it are too late; never before `sealed_before`.
        closing_since: since when they are.
        sealed_before: rows that end at it or before are final.
        lost: periods whose events are lost, which somebody has acknowledged; oldest first, none of
            which touches another.
    """

    closing_before: datetime | None = None
    closing_since: datetime | None = None
    sealed_before: datetime | None = None
    lost: tuple[Period, ...] = ()

    def is_closed(self, moment: datetime) -> bool:
        """Tell whether an event of this time is too late."""
        is_old = self.closing_before is not None and moment < self.closing_before
        return is_old or any(moment in period for period in self.lost)

    @property
    def final(self) -> tuple[datetime | None, tuple[Period, ...]]:
        """Return what says which rows can't be computed any more."""
        return self.sealed_before, self.lost

    def reached_from(self, start: datetime | None) -> str:
        """Return `sealed_before` as text where a range that begins there reaches it, else ''."""
        bound = self.sealed_before
        return format_time(bound) if bound and (start is None or start < bound) else ""

    def is_lost(self, period: Period) -> bool:
        """Tell whether all that this interval had is lost: then its rows are final, too."""
        return any(lost.start <= period.start and period.end <= lost.end for lost in self.lost)

    def with_lost(self, period: Period) -> Seal:
        """Return the seal with one more period that is lost."""
        start, end, apart = period.start, period.end, []
        for lost in self.lost:
            if lost.start <= end and start <= lost.end:
                start, end = min(start, lost.start), max(end, lost.end)
            else:
                apart.append(lost)
        return replace(self, lost=tuple(sorted([*apart, Period(start, end)])))

    def is_sealed(self, period: Period) -> bool:
        """Tell whether the rows of this interval are final."""
        return self.sealed_before is not None and period.end <= self.sealed_before


def read_seal(state: State, event_alias: str) -> Seal:
    """Return what of an event type is closed now (realtime)."""
    return _read(state.get(KIND, [event_alias])[0])


def change_seal(state: State, event_alias: str, change: Callable[[Seal], Seal]) -> Seal:
    """Change what is closed, whoever else does so at the same time; return what it is now."""
    while True:
        (record,) = state.get(KIND, [event_alias])
        before = _read(record)
        after = change(before)
        if after == before:
            return before
        if record is None:
            is_written = state.create(Record(KIND, event_alias, event_alias, body=_body(after)))
        else:
            is_written = state.swap([replace(record, body=_body(after))]) == [True]
        if is_written:
            return after


class Doorkeeper:
    """Refuse events of a type that come too late, by what was read a few seconds ago at most."""

    def __init__(self, state: State, event_alias: str, clock: Clock) -> None:
        self._state = state
        self._alias = event_alias
        self._clock = clock
        self._seal = Seal()
        self._read_at: float | None = None

    def refuse_closed(self, moment: datetime) -> None:
        """Refuse an event of this time if its time is closed.

        Raises:
            TooLate: it is.
            StoreError: nobody knows.
        """
        now = self._clock.monotonic()
        if self._read_at is None or now - self._read_at > CACHE_SECONDS:
            self._seal = read_seal(self._state, self._alias)
            self._read_at = now
        if not self._seal.is_closed(moment):
            return
        bound = self._seal.closing_before
        if bound is not None and moment < bound:
            why = f"events before {format_time(bound)} are closed (retention_days)"
        else:
            why = "the events of its time were lost, and somebody has acknowledged that"
        raise TooLate(f"timestamp {format_time(moment)}: {why}; its totals don't change any more")


def _read(record: Record | None) -> Seal:
    if record is None:
        return Seal()
    body = record.body
    seal = Seal(
        closing_before=_time(body["closing_before"]),
        closing_since=_time(body["closing_since"]),
        sealed_before=_time(body["sealed_before"]),
    )
    for start, end in body["lost"]:
        seal = seal.with_lost(Period(parse_time(start), parse_time(end)))
    return seal


def _body(seal: Seal) -> dict[str, Any]:
    return {
        "closing_before": _text(seal.closing_before),
        "closing_since": _text(seal.closing_since),
        "sealed_before": _text(seal.sealed_before),
        "lost": [[format_time(period.start), format_time(period.end)] for period in seal.lost],
    }


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
