"""Name the item that an event is about, for deduplication and aggregation."""

from __future__ import annotations

from stats_pipeline.model import Event


def build_file_unique_id(event: Event) -> Event:
    """Set `unique_id` to ``<bucket_id>_<file_id>``."""
    event["unique_id"] = f"{event['bucket_id']}_{event['file_id']}"
    return event


def build_record_unique_id(event: Event) -> Event:
    """Set `unique_id` to ``<pid_type>_<pid_value>``."""
    event["unique_id"] = f"{event['pid_type']}_{event['pid_value']}"
    return event
