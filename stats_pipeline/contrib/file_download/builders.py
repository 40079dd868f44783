"""What is known of a download when it happens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import has_request_context, request

#: One flat dict of JSON values.
Event = dict[str, Any]


def build_file_download(event: Event, _sender: object, *, obj: Any, **_more: Any) -> Event:
    """Add the time and the file to an event.

    Args:
        event: what the builders before returned.
        obj: the file, with the attributes `bucket_id`, `file_id` (taken as text), `key` (its
            name) and, where it is known, `size` in bytes.
    """
    event["timestamp"] = datetime.now(UTC).isoformat()
    event["bucket_id"] = str(obj.bucket_id)
    event["file_id"] = str(obj.file_id)
    event["file_key"] = obj.key
    size_bytes = getattr(obj, "size", None)
    if size_bytes is not None:
        event["size"] = size_bytes
    if has_request_context() and request.referrer:
        event["referrer"] = request.referrer
    return event
