"""Clicks: what makes two events of one type clicks of one visitor on one item.

With the sliding rule an event is a double click if another of the same click key follows within the
window. That depends on its next neighbour only, so the flags are set where an interval is
recomputed (`stats_pipeline.aggregations.double_clicks`); here each event gets its key.
"""

from __future__ import annotations

from stats_pipeline.events.identity import clicker_parts, digest
from stats_pipeline.model import Event


def add_click_keys(event_type: str, event: Event) -> Event:
    """Set `click_key`, and for the beginning of a salt window `previous_click_key` as well.

    A visitor's id changes with the salt window. In its first seconds an event therefore also
    carries the key that it would have had before, so that it can be found as the next click of an
    event before the change.

    Args:
        event_type: events of different types are never clicks of one kind.
        event: with `unique_id`, the item; `previous_visitor_id` is taken away.
    """
    previous = event.pop("previous_visitor_id", None)
    if event.get("unique_id") is None:
        return event
    item = str(event["unique_id"])
    event["click_key"] = digest("click", event_type, item, *clicker_parts(event))
    if previous is not None:
        event["previous_click_key"] = digest("click", event_type, item, "visitor", previous)
    return event
