"""Which reports are one: those of one device and one event time, whenever they arrive."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from stats_pipeline.errors import InvalidEvent

#: One flat dict of JSON values.
Event = dict[str, Any]

#: Fields of which a report has one value or none: with several it would be in several rows, or in
#: several counters of one row.
SINGLE = ("build_fingerprint", "radio_version", "boot_reason")


def identify_report(event: Event) -> Event:
    """Make the event known by its device and its time; the device itself is left out.

    A device sends again what it does not know to have arrived. Such a copy has the same event id
    for ever, and so is stored once. A plain date as the time is its midnight: such reports are one
    for each device and day.

    Raises:
        KeyError: it has no `device_id`.
        InvalidEvent: that is neither text nor a whole number, or a field that is counted by is a
            list.
    """
    device_id = event.pop("device_id")
    is_id = isinstance(device_id, str | int) and not isinstance(device_id, bool)
    if not is_id or device_id == "":
        raise InvalidEvent(
            f"device_id is text or a whole number, not {str(device_id)[:60]!r}", field="device_id"
        )
    for name in SINGLE:
        if isinstance(event.get(name), list | tuple):
            raise InvalidEvent(
                f"{name} is one value, not the list {str(event[name])[:60]!r}, so that a report "
                "counts once; send one report for each",
                field=name,
            )
    identity = json.dumps([str(device_id), event["timestamp"]])
    event["event_id"] = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return event
