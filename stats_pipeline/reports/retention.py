"""What was deleted since it may not be kept any longer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Due:
    """Say what a later run will delete, if nothing needs it by then.

    Attributes:
        events: how many go.
        earliest: no run deletes them before this time, ISO 8601 UTC.
    """

    events: int
    earliest: str


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
        due: index -> what a later run will delete; its events were closed too short a time ago. In
            a dry run as if this run had closed them.
        kept: index -> why it is not deleted, nor due, though its events are too old.
        revisions: event type -> how many earlier revisions of deleted events went with them, which
            imports had kept to be undone.
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
    due: Mapping[str, Due] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)
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
            "revisions": sum(self.revisions.values()),
            "ledger": sum(self.ledger.values()),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)
