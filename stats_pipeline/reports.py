"""Reports: what a job did, as frozen dataclasses that become dicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TypeReport:
    """Say what became of the events of one type: ``taken = indexed + duplicates + dropped + dead``.

    Attributes:
        taken: how many events were taken from the queue.
        indexed: how many documents are new or changed.
        duplicates: how many say nothing that the store did not know.
        dropped: how many a preprocessor left out on purpose.
        dead: how many became dead letters.
        reasons: reason -> how many were dropped for it.
        error: why this type could not be drained, empty where it was.
        alarm: why the drain ended early because of too many dead letters, else empty.
    """

    taken: int = 0
    indexed: int = 0
    duplicates: int = 0
    dropped: int = 0
    dead: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    alarm: str = ""

    def __add__(self, other: TypeReport) -> TypeReport:
        reasons = dict(self.reasons)
        for reason, number in other.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + number
        return TypeReport(
            taken=self.taken + other.taken,
            indexed=self.indexed + other.indexed,
            duplicates=self.duplicates + other.duplicates,
            dropped=self.dropped + other.dropped,
            dead=self.dead + other.dead,
            reasons=reasons,
            error=self.error or other.error,
            alarm=self.alarm or other.alarm,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class ProcessingReport(TypeReport):
    """Say what a drain did, in total and for each event type in `types`."""

    types: Mapping[str, TypeReport] = field(default_factory=dict)

    @classmethod
    def of(cls, types: Mapping[str, TypeReport]) -> ProcessingReport:
        """Return the report with the totals of these types."""
        total = sum(types.values(), TypeReport())
        return cls(**vars(total), types=dict(types))


@dataclass(frozen=True, kw_only=True)
class AggregationReport:
    """Say what an update or reset did to the rows of one aggregation.

    Attributes:
        created, updated, unchanged, deleted: how many rows.
        intervals: how many intervals were recomputed.
        pending: starts of intervals that another run holds or that stay dirty for another reason.
        error: why an interval failed, empty where none did.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    intervals: int = 0
    pending: tuple[str, ...] = ()
    error: str = ""

    def __add__(self, other: AggregationReport) -> AggregationReport:
        return AggregationReport(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            deleted=self.deleted + other.deleted,
            intervals=self.intervals + other.intervals,
            pending=self.pending + other.pending,
            error=self.error or other.error,
        )

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing is left to do."""
        return not self.pending and not self.error

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {**asdict(self), "pending": list(self.pending)}


@dataclass(frozen=True, kw_only=True)
class UpdateReport:
    """Say what an update or reset did, for each aggregation.

    Attributes:
        aggregations: name -> report.
        started_at: the time in ISO 8601 UTC at which the run began.
    """

    aggregations: Mapping[str, AggregationReport]
    started_at: str

    @property
    def is_complete(self) -> bool:
        """Tell whether every aggregation is up to date with what was processed before the run."""
        return all(report.is_complete for report in self.aggregations.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "started_at": self.started_at,
            "is_complete": self.is_complete,
            "aggregations": {n: report.as_dict() for n, report in self.aggregations.items()},
        }
