"""One line of an export of invenio-stats' event indices, as an event of ours. Pure: no I/O."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC
from hashlib import blake2b
from typing import Any

from stats_pipeline.contrib.access_log.parser import LONGEST_LINE_BYTES
from stats_pipeline.iso8601 import read_moment

#: The longest `event_id`; a longer `_id` is hashed.
LONGEST_EVENT_ID = 200

#: Bookkeeping of invenio-stats; here it is `received_at`, which is that of the import.
BOOKKEEPING = frozenset({"updated_timestamp"})

#: Fields that a preprocessor consumes, so that the event type's template does not name them.
RAW_FIELDS = frozenset({"ip_address", "session_id", "user_agent", "user_id"})

#: Fields that mean something here and nothing there: a host's field of that name is another thing.
RESERVED = frozenset({"event_id", "received_at", "revision", "withdrawn"})


class MalformedLine(ValueError):
    """Say why a line is no exported event."""


@dataclass(frozen=True, slots=True)
class ExportedEvent:
    """Be one event of an export.

    Attributes:
        event: without an `event_id`; `timestamp` is ISO 8601 text in UTC; fields that are null
            are left out.
        document_id: the `_id` that it had, None where the export leaves that out.
    """

    event: dict[str, Any]
    document_id: str | None

    def unknown_fields(self, known: Collection[str]) -> list[str]:
        """Return the fields that are neither known nor consumed by a preprocessor."""
        return [
            name
            for name in self.event
            if name in RESERVED or not (name in known or name in RAW_FIELDS)
        ]

    def content(self) -> bytes:
        """Return what the event says, the same however the export orders its fields."""
        return json.dumps(self.event, sort_keys=True).encode()


def parse_line(line: bytes) -> ExportedEvent:
    """Return the event of a line: a hit as search engines export it, or the bare source.

    Raises:
        MalformedLine: with the reason.
    """
    if len(line) > LONGEST_LINE_BYTES:
        raise MalformedLine(f"it is longer than {LONGEST_LINE_BYTES} bytes")
    try:
        hit = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise MalformedLine("it is not JSON") from None
    if not isinstance(hit, dict):
        raise MalformedLine("it is not a JSON object")
    source: object = hit
    document_id = None
    if "_source" in hit or "_id" in hit:
        source, document_id = hit.get("_source"), hit.get("_id")
    if not isinstance(source, dict):
        raise MalformedLine("its _source is missing (was the export made without sources?)")
    event = {n: v for n, v in source.items() if v is not None and n not in BOOKKEEPING}
    event["timestamp"] = _time(source)
    return ExportedEvent(event, document_id if isinstance(document_id, str) else None)


def event_id_of(document_id: str) -> str:
    """Return the `event_id` of the event that was the document of this id."""
    if 0 < len(document_id) <= LONGEST_EVENT_ID:
        return document_id
    return blake2b(document_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _time(source: Mapping[str, Any]) -> str:
    text = source.get("timestamp")
    try:
        # Their times are naive UTC, in newer versions also aware.
        return read_moment(text).astimezone(UTC).isoformat()  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise MalformedLine(f"its timestamp {str(text)[:60]!r} is not ISO 8601") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
