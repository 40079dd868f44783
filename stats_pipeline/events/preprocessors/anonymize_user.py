"""Replace what identifies a visitor by ids that can't be read back."""

from __future__ import annotations

from stats_pipeline.clock import format_time, parse_time
from stats_pipeline.events.chain import current_salts
from stats_pipeline.events.identity import visitor_parts
from stats_pipeline.intervals import hour_of
from stats_pipeline.model import Event
from stats_pipeline.registry.order import fields_of_event

RAW_FIELDS = ("ip_address", "user_agent", "user_id", "session_id")


@fields_of_event(read=RAW_FIELDS, removed=RAW_FIELDS)
def anonymize_user(event: Event) -> Event:
    """Replace address, agent, user and session by `visitor_id` and `unique_session_id`.

    The visitor id stays the same for one visitor within a salt window; the session id within an
    hour of it. See `stats_pipeline.events.identity.visitor_parts` for who is one visitor.
    An event that has a visitor id and nothing that identifies anybody is anonymous already, as one
    that was imported: it keeps its ids.
    """
    if event.get("visitor_id") is None or any(event.get(f) is not None for f in RAW_FIELDS):
        _identify(event)
    for field in RAW_FIELDS:
        event.pop(field, None)
    return event


def _identify(event: Event) -> None:
    salts, moment = current_salts(), parse_time(event["timestamp"])
    who = visitor_parts(event)
    event["visitor_id"] = salts.hash(moment, "visitor", *who)
    previous = salts.hash_before_change(moment, "visitor", *who)
    if previous is not None:  # for the sliding rule, at the beginning of a salt window
        event["previous_visitor_id"] = previous
    event["unique_session_id"] = salts.hash(moment, "session", format_time(hour_of(moment)), *who)
