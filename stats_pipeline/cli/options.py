"""What every command has in common. Commands of other packages may use it as well."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from stats_pipeline.cli.errors import UserError
from stats_pipeline.cli.output import Output, show_log
from stats_pipeline.ext import NAME

#: By the number of -v, from one on.
LOG_LEVELS = (logging.INFO, logging.DEBUG)


def stats_command(
    function: Callable[..., None], *, log_level: int = logging.CRITICAL
) -> Callable[..., None]:
    """Run a command inside the application, with an `Output` first and with --json and -v.

    Stands below ``@click.command()`` and the command's own options.

    Args:
        function: the command.
        log_level: from which on the log is shown without -v. By default a command says in its own
            words what went wrong; one that goes on all the same has nothing but the log.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.option(
        "-v",
        "--verbose",
        "verbosity",
        count=True,
        help="Say more: -v what is done, -vv everything.",
    )
    @with_appcontext
    @wraps(function)
    def command(*args: Any, as_json: bool, verbosity: int, **kwargs: Any) -> None:
        show_log(LOG_LEVELS[min(verbosity, len(LOG_LEVELS)) - 1] if verbosity else log_level)
        if NAME not in current_app.extensions:
            raise UserError(
                f"The app {current_app.name!r} has no statistics: call StatsPipeline(app) in it"
            )
        function(Output(as_json=as_json, verbosity=verbosity), *args, **kwargs)

    return command
