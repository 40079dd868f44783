"""What updates and resets did to the rows of aggregations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from stats_pipeline.clock import format_time, parse_time


@dataclass(frozen=True, kw_only=True)
class Touched:
    """Say how often a counter came to rows that were not there, and changed in others.

    Of rows that follow from those of their days, each day counts.
    """

    created: int = 0
    updated: int = 0

    def __add__(self, other: Touched) -> Touched:
        return Touched(created=self.created + other.created, updated=self.updated + other.updated)


@dataclass(frozen=True, kw_only=True)
class AggregationReport:
    """Say what an update or reset did to the rows of one aggregation.

    Attributes:
        created, updated, unchanged, deleted: how many rows; a reset of everything deletes the old
            ones and creates others in their place.
        intervals: how many intervals were recomputed.
        pending: starts of intervals that another run holds or that stay dirty for another reason.
        error: why an interval failed, empty where none did.
        unfit: which row has a value that its field can't hold, and what stands there instead; empty
            where all fit. Nothing is left to do by that.
        sealed_before: what ends at it or before was asked to be reset, but stays as it is, since
            its events are deleted; empty where nothing of that was asked for.
        counters: counter -> what became of it.
        counted_twice: starts of those of its intervals that have imported rows as well, which
            answers add to those that were counted here.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    intervals: int = 0
    pending: tuple[str, ...] = ()
    error: str = ""
    unfit: str = ""
    sealed_before: str = ""
    counters: Mapping[str, Touched] = field(default_factory=dict)
    counted_twice: tuple[str, ...] = ()

    def __add__(self, other: AggregationReport) -> AggregationReport:
        return AggregationReport(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            deleted=self.deleted + other.deleted,
            intervals=self.intervals + other.intervals,
            pending=self.pending + other.pending,
            error=self.error or other.error,
            unfit=self.unfit or other.unfit,
            sealed_before=self.sealed_before or other.sealed_before,
            counters={
                name: self.counters.get(name, Touched()) + other.counters.get(name, Touched())
                for name in {**self.counters, **other.counters}
            },
            counted_twice=self.counted_twice + other.counted_twice,
        )

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing is left to do."""
        return not self.pending and not self.error

    @property
    def trouble(self) -> str:
        """Return what a person must look at: an error or a value that does not fit, else empty."""
        return "; ".join(filter(None, [self.error, self.unfit]))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        lists = {"pending": list(self.pending), "counted_twice": list(self.counted_twice)}
        return {**asdict(self), **lists}


@dataclass(frozen=True, kw_only=True)
class UpdateReport:
    """Say what an update or reset did, for each aggregation.

    Attributes:
        aggregations: name -> report.
        started_at: the time in ISO 8601 UTC at which the run began.
        ended_at: the time at which it ended.
        start, end: the window that was asked for (see `as_asked`); None leaves a side open.
    """

    aggregations: Mapping[str, AggregationReport]
    started_at: str
    ended_at: str = ""
    start: str | None = None
    end: str | None = None

    @property
    def is_complete(self) -> bool:
        """Tell whether every aggregation is up to date with what was processed before the run."""
        return all(report.is_complete for report in self.aggregations.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "start": self.start,
            "end": self.end,
            "is_complete": self.is_complete,
            "aggregations": {n: report.as_dict() for n, report in self.aggregations.items()},
        }


def as_asked(bound: str | date | None) -> str | None:
    """Return a bound of a window as ISO 8601 text.

    Text stays as it is: a bare date is a day in the time zone of each aggregation.
    """
    if isinstance(bound, datetime):
        return format_time(parse_time(bound))
    return bound.isoformat() if isinstance(bound, date) else bound
