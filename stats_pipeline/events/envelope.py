"""The envelope of an event: what identifies and places it, checked before it is queued."""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from stats_pipeline.clock import epoch_milliseconds, format_time, parse_time
from stats_pipeline.errors import InvalidEvent
from stats_pipeline.model import Event
from stats_pipeline.text import refused_value

#: What an event may leave out, and None leaves out as well.
OPTIONAL = frozenset({"event_id", "revision", "timestamp", "withdrawn"})

LONGEST_EVENT_ID = 200
HIGHEST_REVISION = 255

#: Of an event as `to_json` writes it, whoever made it. So what a worker takes can be replayed: it
#: fits into a message. Its dead letter is JSON inside of JSON, and must fit into a request, too.
LARGEST_EVENT_BYTES = 1_000_000

#: How deeply an event's lists and dicts may be nested: whatever works on it may go down into them.
DEEPEST_NESTING = 50

#: Clocks of hosts differ; what lies further ahead than this is a mistake.
LARGEST_STEP_AHEAD = timedelta(days=1)


def complete(event: object, *, now: datetime) -> Event:
    """Return a copy of the event with `event_id`, `timestamp` and `received_at`.

    Raises:
        InvalidEvent: it is not a dict that JSON can hold, or its envelope is wrong.
    """
    if not isinstance(event, dict):
        raise InvalidEvent(f"An event is a dict, not {type(event).__name__}")
    event = {name: v for name, v in event.items() if v is not None or name not in OPTIONAL}
    if ("event_id" in event or "revision" in event) and "timestamp" not in event:
        raise InvalidEvent(
            "An event with an own event_id or revision needs a timestamp: both identify it",
            field="timestamp",
        )
    complete_event = {**event, "received_at": format_time(now)}
    complete_event["timestamp"] = format_time(_timestamp(event, now))
    complete_event["event_id"] = _event_id(event, now)
    check_revision(event.get("revision"))
    try:
        size_bytes = len(json.dumps(complete_event, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"An event holds JSON values only: {error}") from None
    check_size(size_bytes)
    if is_deeper(complete_event, DEEPEST_NESTING):
        raise InvalidEvent(f"An event's values are nested up to {DEEPEST_NESTING} levels deep")
    return complete_event


def to_json(event: Event) -> bytes:
    """Return an event as it stands in a message."""
    return json.dumps(event).encode()


def new_event_id(now: datetime) -> str:
    """Return a time-ordered UUID (version 7, RFC 9562)."""
    number = epoch_milliseconds(now) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 7 << 76
    return str(UUID(int=number & ~(3 << 62) | 2 << 62))


def _timestamp(event: Event, now: datetime) -> datetime:
    value = event.get("timestamp")
    if value is None:
        return now
    try:
        return parse_time(value)
    except ValueError as error:
        raise InvalidEvent(
            f"timestamp: {error}; give ISO 8601 text such as '2016-12-18T10:00:00Z' or an aware "
            "datetime",
            field="timestamp",
        ) from None


def _event_id(event: Event, now: datetime) -> str:
    value = event.get("event_id")
    if value is None:
        return new_event_id(now)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_EVENT_ID:
        raise InvalidEvent(
            f"event_id is text of 1 to {LONGEST_EVENT_ID} characters, not {refused_value(value)}",
            field="event_id",
        )
    return value


def check_size(size_bytes: int) -> None:
    """Raise InvalidEvent where an event has so many bytes, as `to_json` writes it, but may not."""
    if size_bytes > LARGEST_EVENT_BYTES:
        raise InvalidEvent(
            f"An event has up to {LARGEST_EVENT_BYTES:,} bytes as JSON, not {size_bytes:,}"
        )


def check_plausible(moment: datetime, *, earliest: datetime, now: datetime, shown: object) -> None:
    """Raise InvalidEvent where no event can be of this time, which the message shows as given."""
    if not earliest <= moment <= now + LARGEST_STEP_AHEAD:
        raise InvalidEvent(
            f"timestamp {shown} is implausible: allowed is from "
            f"{earliest:%Y-%m-%d} (STATS_EARLIEST) to a day from now",
            field="timestamp",
        )


def check_revision(value: object) -> None:
    """Raise InvalidEvent where this is no revision; None is as good as none."""
    if value is None:
        return
    if type(value) is not int or not 0 <= value <= HIGHEST_REVISION:
        raise InvalidEvent(
            f"revision is a whole number from 0 to {HIGHEST_REVISION}, not {refused_value(value)}",
            field="revision",
        )


def is_deeper(value: object, levels: int) -> bool:
    """Tell whether lists and dicts are nested in more than so many levels."""
    if not isinstance(value, dict | list | tuple):
        return False
    children = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(is_deeper(child, levels - 1) for child in children)
