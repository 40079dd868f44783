"""What became of events, and what a process has counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

#: What becomes of an event.
OUTCOMES = ("indexed", "duplicates", "dropped", "dead")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Say what became of one event.

    Attributes:
        kind: ``indexed``: its document is new or changed; ``duplicates``: it says nothing that the
            store did not know; ``dropped``: a preprocessor left it out; ``dead``: a dead letter.
        hour: the hour (UTC) that its timestamp lies in, None where it has no valid one.
        reason: why it was dropped.
    """

    kind: Literal["indexed", "duplicates", "dropped", "dead"]
    hour: datetime | None = None
    reason: str = ""


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

    @classmethod
    def of_outcomes(cls, outcomes: Iterable[Outcome]) -> TypeReport:
        """Return the report of events that became this."""
        kinds: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for outcome in outcomes:
            kinds[outcome.kind] += 1
            if outcome.kind == "dropped":
                reasons[outcome.reason] += 1
        return cls(
            taken=kinds.total(),
            indexed=kinds["indexed"],
            duplicates=kinds["duplicates"],
            dropped=kinds["dropped"],
            dead=kinds["dead"],
            reasons=dict(reasons),
        )

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
class ProcessCounters:
    """Say what this process has done since it began; at least so much.

    Attributes:
        published: ``sent``, ``spooled``, ``refused`` (the caller was told) or ``lost`` -> events.
        failed_signals: event type -> signals of which a builder made no event.
        processed: (event type, outcome) -> events.
    """

    published: Mapping[str, int]
    failed_signals: Mapping[str, int]
    processed: Mapping[tuple[str, str], int]
