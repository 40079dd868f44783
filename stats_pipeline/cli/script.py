"""The console script `stats`: the same commands, run in the stand-alone application."""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask
from flask.cli import ScriptInfo

from stats_pipeline.cli.commands import COMMANDS, EPILOG, HELP
from stats_pipeline.cli.group import LazyGroup

APPLICATION = """

Runs the stand-alone application, with its data in ./instance. It is configured by STATS_*
environment variables, which win over --config. Within an application of your own, the same
commands are `flask stats`.
"""


@click.group(cls=LazyGroup, name="stats", lazy=COMMANDS, help=HELP + APPLICATION, epilog=EPILOG)
@click.version_option(package_name="stats_pipeline", message="%(version)s")
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Python file that sets STATS_* names, as Flask reads it.",
)
@click.pass_context
def script(ctx: click.Context, config_file: Path | None) -> None:
    """Say which application the commands run in; it is made when one of them needs it."""

    def make_app() -> Flask:
        from stats_pipeline.app import create_app

        app = create_app(config_file=config_file)
        ctx.call_on_close(app.extensions["stats_pipeline"].close)
        return app

    ctx.obj = ScriptInfo(create_app=make_app, set_debug_flag=False)


def main() -> None:
    """Run the console script."""
    script(prog_name="stats")
