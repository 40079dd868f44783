"""The reference: what must be counted, told in a few lines without any of the pipeline's code."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from stats_pipeline.model import Event

WINDOW_SECONDS = 10

#: (first day, page) -> (count, visitors, volume)
Totals = dict[tuple[str, str], tuple[int, ...]]


def totals(sent: Iterable[Event], rule: str, zone: str) -> Totals:
    """Be the reference: what must be counted of these events, in whatever order they came."""
    kept: dict[tuple[Any, ...], Event] = {}
    for event in sent:
        slot = event["timestamp"].timestamp() // WINDOW_SECONDS
        click = (event["visitor_id"], event["unique_id"], slot)
        key = click if rule == "fixed" else (event["event_id"],)
        kept[key] = max(event, kept.get(key, event), key=lambda e: (e["timestamp"], e["revision"]))
    live = [event for event in kept.values() if not event["withdrawn"]]
    days: dict[tuple[str, str], list[Event]] = {}
    for event in live:
        if not event["is_robot"] and not (rule == "sliding" and is_double_click(event, live)):
            day = f"{event['timestamp'].astimezone(ZoneInfo(zone)):%Y-%m-%d}"
            days.setdefault((day, event["page"]), []).append(event)
    return {
        key: (len(events), len({e["visitor_id"] for e in events}), sum(e["size"] for e in events))
        for key, events in days.items()
    }


def is_double_click(event: Event, live: Iterable[Event]) -> bool:
    """Tell whether another click of the same visitor on the same item follows in the window."""
    window, same = timedelta(seconds=WINDOW_SECONDS), ("visitor_id", "unique_id", "is_robot")
    return any(
        timedelta(0) < other["timestamp"] - event["timestamp"] <= window
        and all(other[name] == event[name] for name in same)
        for other in live
    )
