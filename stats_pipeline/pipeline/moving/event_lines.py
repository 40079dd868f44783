"""Lines of JSON, as an export writes them and an import reads them. Pure: no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stats_pipeline.events.envelope import LARGEST_EVENT_BYTES
from stats_pipeline.model import Event

#: An event as it is stored has some fields more than it had when its size was checked.
LONGEST_LINE_BYTES = LARGEST_EVENT_BYTES + 100_000

#: A line without a part of the identity, for which nothing may stand in that is new each time.
NO_IDENTITY = "it has no {}: importing it again would count it again"

_ENVELOPE = {"event_type", "event"}


class BadLine(ValueError):
    """Say why a line can't be imported."""


@dataclass(frozen=True, slots=True)
class EventLine:
    """Be what a line says.

    Attributes:
        event: without what another import has written into it; a bare one may lack its `event_id`.
        event_type: None where the line does not say it.
        is_stored: whether it was exported, so that its preprocessors have run already.
    """

    event: Event
    event_type: str | None
    is_stored: bool


def write_line(event_type: str, stored: Mapping[str, Any]) -> bytes:
    """Return the line of a stored event; which import brought it stays behind."""
    event = {name: value for name, value in stored.items() if name != "import_ids"}
    line = {"event_type": event_type, "event": event}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def read_line(line: bytes) -> EventLine:
    """Return what a line says: an exported event, or a bare one as it would be published.

    Raises:
        BadLine: with the reason.
    """
    value = read_object(line)
    is_stored = value.keys() == _ENVELOPE
    event = value["event"] if is_stored else value
    event_type = value["event_type"] if is_stored else None
    if not isinstance(event, dict) or not isinstance(event_type, str | None):
        raise BadLine("its 'event' is no JSON object, or its 'event_type' is no text")
    _check_identity(event, is_stored=is_stored)
    event.pop("import_ids", None)
    return EventLine(event, event_type, is_stored)


def read_object(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line; raise BadLine with the reason where it is none."""
    if len(line) > LONGEST_LINE_BYTES:
        raise BadLine(f"it is longer than {LONGEST_LINE_BYTES} bytes")
    try:
        value = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadLine("it is not JSON") from None
    if not isinstance(value, dict):
        raise BadLine("it is not a JSON object")
    return value


def _check_identity(event: Event, *, is_stored: bool) -> None:
    if event.get("timestamp") is None:
        raise BadLine(NO_IDENTITY.format("timestamp"))
    event_id = event.get("event_id")
    if event_id is None and is_stored:
        raise BadLine(NO_IDENTITY.format("event_id"))
    if not isinstance(event_id, str | None):
        raise BadLine(f"its event_id must be text, in quotes, not {event_id!r}"[:200])


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
