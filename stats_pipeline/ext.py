"""The Flask extension: one pipeline for each app, its receivers, REST API and commands."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from flask import Flask, current_app, has_app_context
from werkzeug.local import LocalProxy

from stats_pipeline.errors import ConfigurationError
from stats_pipeline.importing import load
from stats_pipeline.permissions import check_identity
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings

NAME = "stats_pipeline"

#: Above this layer, so named by path: they use the extension, not the other way round.
BLUEPRINT = "stats_pipeline.rest:create_blueprint"
COMMANDS = "stats_pipeline.cli:stats"


class StatsPipeline:
    """Add statistics to a Flask app.

    Reads the app's ``STATS_*`` settings, listens to the signals of the active event types, and
    registers the REST API and ``flask stats``. Keeps no app: everything is in ``app.extensions``.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set up statistics for this app.

        Raises:
            ConfigurationError: a setting or an override is wrong; the message says what to do.
        """
        if NAME in app.extensions:
            raise ConfigurationError("This app has StatsPipeline already; call init_app once")
        settings = read_settings(app.config)
        pipeline = Pipeline(settings, instance_path=app.instance_path)
        pipeline.registries.check_overrides(pipeline.declared_rows)
        check_identity(settings["STATS_IDENTITY"])
        if settings["STATS_RECEIVERS"]:
            pipeline.connect(_accepting(app))
        # After what may be refused: a pipeline that nobody keeps does not listen any more.
        app.extensions[NAME] = pipeline
        if settings["STATS_URL_PREFIX"] is not None:
            blueprint = load(BLUEPRINT, owner=NAME)()
            app.register_blueprint(blueprint, url_prefix=settings["STATS_URL_PREFIX"])
        app.cli.add_command(load(COMMANDS, owner=NAME))


def _accepting(app: Flask) -> Callable[[Any], bool]:
    """Return what tells whether a sender's signal is this app's: not if it is another app's."""
    reference = weakref.ref(app)

    def accepts(sender: Any) -> bool:
        own = reference()
        if isinstance(sender, LocalProxy):
            sender = sender._get_current_object()  # noqa: SLF001 - the documented way
        if isinstance(sender, Flask):
            return sender is own
        if has_app_context():
            return current_app._get_current_object() is own  # type: ignore[attr-defined]  # noqa: SLF001
        return True

    return accepts


def _current() -> Pipeline:
    if not has_app_context():
        raise RuntimeError(
            "current_stats needs an app: use it in a request, a command or `with app.app_context()`"
        )
    try:
        pipeline: Pipeline = current_app.extensions[NAME]
    except KeyError:
        raise RuntimeError(
            "This app has no statistics: call StatsPipeline(app) or StatsPipeline().init_app(app)"
        ) from None
    return pipeline


#: The pipeline of the current Flask app.
current_stats: Pipeline = LocalProxy(_current)  # type: ignore[assignment]
