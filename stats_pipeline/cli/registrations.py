"""`stats list`: what is registered, and by whom."""

from __future__ import annotations

from typing import Any

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, table


@click.command("list")
@stats_command
def list_registrations(output: Output) -> None:
    """List what is registered, and by whom.

    Of the event types, only the active ones (STATS_EVENTS) are recorded.
    """
    registries = current_stats.registries
    active = registries.active_event_types
    found: list[dict[str, Any]] = [
        {
            "kind": item.group.kind,
            "name": item.name,
            "owner": item.owner,
            "active": item.name in active if items is registries.event_items else None,
        }
        for items in (
            registries.event_items,
            registries.aggregation_items,
            registries.query_items,
        )
        for item in sorted(items.values(), key=lambda item: item.name)
    ]
    rows = [list(entry.values()) for entry in found]
    output.result(found, table(rows, ("kind", "name", "owner", "active")))
