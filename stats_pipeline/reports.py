"""Reports: what a job did, as frozen dataclasses that become dicts."""

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
class AggregationReport:
    """Say what an update or reset did to the rows of one aggregation.

    Attributes:
        created, updated, unchanged, deleted: how many rows.
        intervals: how many intervals were recomputed.
        pending: starts of intervals that another run holds or that stay dirty for another reason.
        error: why an interval failed, empty where none did.
        sealed_before: what ends at it or before was asked to be reset, but stays as it is, since
            its events are deleted; empty where nothing of that was asked for.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    intervals: int = 0
    pending: tuple[str, ...] = ()
    error: str = ""
    sealed_before: str = ""

    def __add__(self, other: AggregationReport) -> AggregationReport:
        return AggregationReport(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            deleted=self.deleted + other.deleted,
            intervals=self.intervals + other.intervals,
            pending=self.pending + other.pending,
            error=self.error or other.error,
            sealed_before=self.sealed_before or other.sealed_before,
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


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Be messages of one publisher that nobody has processed, though later ones were.

    Attributes:
        publisher: host, process number and a random word, as in ``web-1/4711/...``.
        first, last: the numbers of the messages.
        noticed_at: when the message after them was processed, in ISO 8601 UTC.
    """

    publisher: str
    first: int
    last: int
    noticed_at: str


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Say what became of all events of a type: accepted = stored + duplicates + dropped + dead.

    Attributes:
        since: what is from before this time (ISO 8601 UTC) is left out on both sides, since its
            events are deleted; None: everything is counted.
        accepted: events of all messages that were processed.
        stored: events in the store.
        duplicates: what remains.
        dropped, dead: how many were left out on purpose, or became dead letters.
        reasons: reason -> how many were dropped for it.
        refused: events whose publisher could send them nowhere, and told its caller.
        lost: events whose publisher could send them nowhere and could tell nobody.
        missing: holes among the numbers of a publisher.
        surplus: hours (ISO 8601 UTC) -> how many events are stored for which no entry speaks.
        waiting_messages: in the queue; and, in this process's spool, `spooled_messages`.
    """

    since: str | None
    accepted: int
    stored: int
    duplicates: int
    dropped: int
    dead: int
    reasons: Mapping[str, int]
    refused: int
    lost: int
    missing: tuple[Missing, ...]
    surplus: Mapping[str, int]
    waiting_messages: int
    spooled_messages: int

    @property
    def is_closed(self) -> bool:
        """Tell whether nothing was lost, and nothing stored of which nobody knows."""
        return not (self.lost or self.missing or self.surplus)

    def as_dict(self) -> dict[str, Any]:
        """Return the balance as JSON values."""
        return {"is_closed": self.is_closed, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class BalanceReport:
    """Be the balance of each event type, by its name in `types`."""

    types: Mapping[str, Balance]

    @property
    def is_closed(self) -> bool:
        """Tell whether all of them are."""
        return all(balance.is_closed for balance in self.types.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "is_closed": self.is_closed,
            "types": {name: balance.as_dict() for name, balance in self.types.items()},
        }


@dataclass(frozen=True, kw_only=True)
class RetentionReport:
    """Say what was deleted since it may not be kept any longer; or would be, in a dry run.

    Attributes:
        is_dry_run: whether nothing was deleted.
        before: what is from before this time goes, ISO 8601 UTC.
        salts: alias of an event type -> how many keys of visitor ids were destroyed.
        dead_letters: event type -> how many dead letters expired.
        spooled_messages: queue -> how many messages expired in the spool of this process; they
            were never counted.
        closing_before: event type -> time (ISO 8601 UTC) before which its events are too late.
        sealed_before: event type -> time before which its rows are final.
        events: index -> how many events were deleted with it.
        kept: index -> why it was not deleted though its events are too old.
        ledger: event type -> how many entries were deleted of messages whose events are too old.
        errors: one of these, an event type, or `remains` on the disk -> why not all was deleted.
    """

    is_dry_run: bool
    before: str
    salts: Mapping[str, int] = field(default_factory=dict)
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    spooled_messages: Mapping[str, int] = field(default_factory=dict)
    closing_before: Mapping[str, str] = field(default_factory=dict)
    sealed_before: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    ledger: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def totals(self) -> dict[str, int]:
        """Return how many of each."""
        return {
            "salts": sum(self.salts.values()),
            "dead_letters": sum(self.dead_letters.values()),
            "spooled_messages": sum(self.spooled_messages.values()),
            "event_indices": len(self.events),
            "ledger": sum(self.ledger.values()),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


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
