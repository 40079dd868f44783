"""Query modifiers: which events an aggregation counts."""

from __future__ import annotations

from stats_pipeline.model import Filter


def exclude_robots(events: Filter) -> Filter:
    """Leave out the events of robots."""
    return events.where("is_robot", exclude=[True])


def exclude_machines(events: Filter) -> Filter:
    """Leave out the events of machines (see `flag_machines`)."""
    return events.where("is_machine", exclude=[True])
