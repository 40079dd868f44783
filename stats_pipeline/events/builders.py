"""Run event builders: each makes of the event that it is given one, several, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stats_pipeline.model import Event, EventBuilder


def build_events(builders: Sequence[EventBuilder], sender: Any, **signal: Any) -> list[Event]:
    """Return the events that a signal means; the first builder is given an empty event.

    A list that a builder returns goes to the next builder event by event; None or an empty event
    ends the matter. Without builders there are no events.
    """
    events: list[Event] = [{}] if builders else []
    for builder in builders:
        events = [built for event in events for built in _as_list(builder(event, sender, **signal))]
    return [event for event in events if event]


def _as_list(result: Event | list[Event] | None) -> list[Event]:
    if result is None:
        return []
    return result if isinstance(result, list) else [result]
