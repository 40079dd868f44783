"""Identity: which document an event becomes, and which of several events a document keeps.

Deterministic, so that redelivery and disorder end in the same document.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from stats_pipeline.clock import MILLISECOND, format_time
from stats_pipeline.intervals import Period
from stats_pipeline.model import Event

#: An external version has 63 bits: 42 milliseconds (139 years), 8 for the revision, 12 for ties,
#: and 1 for how the event came.
REVISION_BITS = 8
TIE_BITS = 12


def digest(*parts: str | None) -> str:
    """Return 32 hexadecimal characters for these parts, each kept apart from the next."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def visitor_parts(event: Event) -> tuple[str | None, ...]:
    """Return what tells the event's visitor from others: the first that is known of these.

    User id; session id; address and agent (one of them may be missing); the event itself, so that
    two visitors of whom nothing is known are never taken for one.
    """
    if event.get("user_id") is not None:
        return ("user", str(event["user_id"]))
    if event.get("session_id") is not None:
        return ("session", str(event["session_id"]))
    address, agent = event.get("ip_address"), event.get("user_agent")
    if address is not None or agent is not None:
        return (
            "client",
            None if address is None else str(address),
            None if agent is None else str(agent),
        )
    return ("event", event["event_id"])


def clicker_parts(event: Event) -> tuple[str | None, ...]:
    """Return whose click an event is after its preprocessors: the visitor id, else as it is raw."""
    visitor = event.get("visitor_id")
    return visitor_parts(event) if visitor is None else ("visitor", str(visitor))


def document_id(event_type: str, event: Event, slot: Period | None) -> str:
    """Return the id of the document that the event, after its preprocessors, becomes.

    Args:
        event_type: events of different types are never one.
        event: with `unique_id` (the item) where `slot` is given.
        slot: the fixed window in which several events of one visitor on one item are one.
    """
    if slot is None:
        return digest("event", event_type, event["event_id"], event["timestamp"])
    item, who = str(event["unique_id"]), clicker_parts(event)
    return digest("click", event_type, format_time(slot.start), item, *who)


def document_version(
    event: Event, timestamp: datetime, earliest: datetime, *, is_imported: bool = False
) -> int:
    """Return the external version: the later event wins, then the revision, then a fixed draw.

    Of one event that was imported and also came by the queue, the latter wins: whatever becomes of
    the import, the event stays.
    """
    milliseconds = (timestamp - earliest) // MILLISECOND
    tie = int(digest("tie", event["event_id"]), 16) & ((1 << TIE_BITS) - 1)
    revision = int(event.get("revision", 0))
    version = (milliseconds << REVISION_BITS | revision) << TIE_BITS | tie
    return version << 1 | (not is_imported)


def erased_version(version: int) -> int:
    """Return a version above that of every copy of the very event, but below its corrections.

    Copies still come by the queue, and from whoever read the event to set its flag.
    """
    return (version | 1) + 2
