"""Which reports are one: those of one device and one event time, whenever they arrive."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from stats_pipeline.errors import InvalidEvent

#: One flat dict of JSON values.
Event = dict[str, Any]


def identify_report(event: Event) -> Event:
    """Make the event known by its device and its time; the device itself is left out.

    A device sends again what it does not know to have arrived. Such a copy has the same event id
    for ever, and so is stored once. A plain date as the time is its midnight: such reports are one
    for each device and day.

    Raises:
        KeyError: it has no `device_id`.
        InvalidEvent: that is neither text nor a whole number.
    """
    device_id = event.pop("device_id")
    if not isinstance(device_id, str | int) or device_id == "":
        raise InvalidEvent(
            f"device_id is text or a whole number, not {str(device_id)[:60]!r}", field="device_id"
        )
    identity = json.dumps([str(device_id), event["timestamp"]])
    event["event_id"] = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return event
