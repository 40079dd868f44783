"""What is known of a view when it happens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import has_request_context, request

#: One flat dict of JSON values.
Event = dict[str, Any]


def build_record_view(
    event: Event, _sender: object, *, pid: Any, record: Any, **_more: Any
) -> Event:
    """Add the time and the record to an event.

    Args:
        event: what the builders before returned.
        pid: the identifier by which the record was asked for, with the attributes `pid_type`
            and `pid_value` (taken as text).
        record: the record, with the attribute `id` (taken as text).
    """
    event["timestamp"] = datetime.now(UTC).isoformat()
    event["record_id"] = str(record.id)
    event["pid_type"] = str(pid.pid_type)
    event["pid_value"] = str(pid.pid_value)
    if has_request_context() and request.referrer:
        event["referrer"] = request.referrer
    return event
