"""Which reports are one: those of one kind, device and event time, whenever they arrive."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from stats_pipeline.errors import InvalidEvent

#: One flat dict of JSON values.
Event = dict[str, Any]

#: What a report may be: a sign of life, or a restart that nobody asked for.
HEARTBEAT, CRASH = "heartbeat", "crash"

#: Fields of which a report has one value or none: with several it would be in several rows, or in
#: several counters of one row.
SINGLE = ("kind", "build_fingerprint", "radio_version", "boot_reason")


def identify_report(event: Event) -> Event:
    """Make the event known by its kind, device and time; the device itself is left out.

    A device sends again what it does not know to have arrived. Such a copy has the same event id
    for ever, and so is stored once. A plain date as the time is its midnight: such reports are one
    for each kind, device and day.

    Raises:
        KeyError: it has no `device_id`.
        InvalidEvent: the device is neither text nor a whole number, a field that is counted by is
            a list, it has no kind or one that there is not, or a heartbeat has a boot reason.
    """
    device_id, kind = event.pop("device_id"), event.get("kind")
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
    if kind not in (HEARTBEAT, CRASH):
        raise InvalidEvent(
            f"kind is {HEARTBEAT!r} or {CRASH!r}, not {str(kind)[:60]!r}", field="kind"
        )
    if kind == HEARTBEAT and event.get("boot_reason") is not None:
        raise InvalidEvent(
            f"boot_reason is of a report of the kind {CRASH!r}; a {HEARTBEAT} has none",
            field="boot_reason",
        )
    identity = json.dumps([kind, str(device_id), event["timestamp"]])
    event["event_id"] = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return event
