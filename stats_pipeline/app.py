"""The stand-alone application: statistics without a host of one's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, redirect, request
from werkzeug.wrappers import Response

from stats_pipeline.errors import ConfigurationError
from stats_pipeline.ext import StatsPipeline
from stats_pipeline.importing import FAILURES, reason_of
from stats_pipeline.settings import from_environment, hide_secrets

#: All that is shipped is active; STATS_EVENTS of the configuration takes its place.
EVENT_TYPES = ("access-log", "device-report", "file-download", "record-view")

#: Of any request; routes allow less. A configuration that sets MAX_CONTENT_LENGTH takes its place.
LARGEST_REQUEST_BYTES = 16 * 1024 * 1024

#: Where the embedded store and the spool are, in the folder in which the application is started.
INSTANCE_FOLDER = "instance"


def create_app(
    config: Mapping[str, Any] | None = None, *, config_file: Path | str | None = None
) -> Flask:
    """Return the application; configured by, from weak to strong: file, environment, `config`.

    Args:
        config: ``STATS_*`` and Flask's own names.
        config_file: Python that sets such names.

    Raises:
        ConfigurationError: naming the setting, or the file that can't be read.
    """
    app = Flask(__name__, instance_path=str(Path.cwd() / INSTANCE_FOLDER), static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST_BYTES
    app.config["STATS_EVENTS"] = {name: {} for name in EVENT_TYPES}
    if config_file is not None:
        _read_file(app, Path(config_file))
    app.config.update(from_environment(os.environ))
    app.config.update(config or {})
    hide_secrets(app.config)
    StatsPipeline(app)
    url_prefix = app.extensions["stats_pipeline"].settings["STATS_URL_PREFIX"]
    if url_prefix is not None:
        app.add_url_rule("/", "home", lambda: _to_dashboard(url_prefix))
    return app


def _to_dashboard(url_prefix: str) -> Response:
    return redirect(f"{request.script_root}{url_prefix}/dashboard")


def _read_file(app: Flask, config_file: Path) -> None:
    try:
        app.config.from_pyfile(str(config_file.resolve()))
    except FAILURES as error:
        raise ConfigurationError(
            f"{config_file} can't be used as configuration: {reason_of(error)}"
        ) from error
