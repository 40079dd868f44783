"""What a host's own code answers, in the one form that all forms of an answer have."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from operator import is_
from typing import Any

from stats_pipeline.clock import format_time


def json_value(value: Any) -> Any:
    """Return the value with times as ISO 8601 and decimals as numbers, at every depth.

    Databases give them. What has none comes back as it is, not as a copy; what JSON can't hold
    stays for whoever writes it to refuse.
    """
    if isinstance(value, dict):
        pairs = ((name, each, json_value(each)) for name, each in value.items())
        changed = {name: new for name, each, new in pairs if new is not each}
        return {**value, **changed} if changed else value
    if isinstance(value, list | tuple):
        values = [json_value(each) for each in value]
        return value if all(map(is_, values, value)) else values
    if isinstance(value, datetime):
        return format_time(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value
