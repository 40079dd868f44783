"""One page with charts, drawn on the server: no scripts, nothing from other sites."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint

from stats_pipeline.dashboard.page import show_dashboard
from stats_pipeline.queries.reading import at_most

#: Of each answer that the page takes its numbers from; it shows far fewer.
MOST_BUCKETS = 100_000

if TYPE_CHECKING:
    from stats_pipeline.rest.problems import Problem


def create_dashboard(explain: Callable[[Exception], Problem]) -> Blueprint:
    """Return the page's blueprint, to be nested in that of the REST API.

    Args:
        explain: says what an error means to the caller.
    """
    blueprint = Blueprint(
        "dashboard",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )
    page = at_most(MOST_BUCKETS)(partial(show_dashboard, explain))
    blueprint.add_url_rule("/dashboard", "page", page, strict_slashes=False)
    return blueprint


__all__ = ["create_dashboard"]
