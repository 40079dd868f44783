"""One page with charts, drawn on the server: no scripts, nothing from other sites."""

from flask import Blueprint

from stats_pipeline.dashboard.page import show_dashboard


def create_dashboard() -> Blueprint:
    """Return the page's blueprint, to be nested in that of the REST API."""
    blueprint = Blueprint(
        "dashboard",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )
    blueprint.add_url_rule("/dashboard", "page", show_dashboard, strict_slashes=False)
    return blueprint


__all__ = ["create_dashboard"]
