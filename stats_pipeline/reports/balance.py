"""What was accepted beside what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
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
        unsettled: holes of which a publisher was not told that they were taken: it still sends
            them, or ended while it did.
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
    unsettled: tuple[Missing, ...]
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
