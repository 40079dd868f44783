"""Who may run a query: ready permissions, and who is calling.

A permission is any callable ``(query_name, params) -> bool``. The REST layer asks it; code of the
host that calls `current_stats.query` is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from flask import current_app

from stats_pipeline.errors import ConfigurationError
from stats_pipeline.importing import load

SETTING = "STATS_IDENTITY"


def allow_everyone(_query_name: str, _params: Mapping[str, Any]) -> bool:
    """Permit every caller, known or not."""
    return True


def authenticated(_query_name: str, _params: Mapping[str, Any]) -> bool:
    """Permit every caller that is known (see `current_identity`)."""
    return current_identity() is not None


def deny_all(_query_name: str, _params: Mapping[str, Any]) -> bool:
    """Permit nobody."""
    return False


def check_identity(identity: object) -> None:
    """Refuse a ``STATS_IDENTITY`` that says nobody's name: each refusal would fail by it."""
    if identity is not None and not callable(load(identity, owner=SETTING)):
        raise ConfigurationError(
            f"{SETTING}={identity!r} can't be called; give a function without arguments that "
            "returns who calls, None for an anonymous caller"
        )


def current_identity() -> Any | None:
    """Return who calls, None for an anonymous caller.

    ``STATS_IDENTITY`` (a callable or its dotted path) says it; without it, the user of
    Flask-Login, where the app has one.
    """
    identity = current_app.config.get(SETTING)
    if identity is not None:
        return load(identity, owner=SETTING)()
    # The attribute that Flask-Login leaves on an app that it was initialised with.
    if getattr(current_app, "login_manager", None) is None:
        return None
    user = import_module("flask_login").current_user
    return user if getattr(user, "is_authenticated", False) else None
