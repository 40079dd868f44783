"""The part of an event that says who acted: an event builder for the events of any host."""

from __future__ import annotations

from typing import Any

from flask import has_request_context, request, session

from stats_pipeline.model import Event
from stats_pipeline.permissions import current_identity


def add_user(event: Event, _sender: object, **_signal: Any) -> Event:
    """Add `ip_address`, `user_agent`, `user_id` and `session_id` of the current request.

    What is not known is left out, and outside of a request everything is. The user is the one of
    `stats_pipeline.permissions.current_identity`. A session has an id where it is kept on the
    server. Behind a proxy the address is right if the host uses Werkzeug's `ProxyFix`.
    """
    if has_request_context():
        who = {
            "ip_address": request.remote_addr,
            "user_agent": request.user_agent.string,
            "user_id": _user_id(),
            "session_id": getattr(session, "sid", None),
        }
        event |= {name: value for name, value in who.items() if value}
    return event


def _user_id() -> str | None:
    identity = current_identity()
    if identity is None:
        return None
    return str(identity.get_id() if hasattr(identity, "get_id") else identity)
