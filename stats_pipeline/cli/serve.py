"""`stats serve`: answer over HTTP, and process and aggregate in the background."""

from __future__ import annotations

import logging
from functools import partial

import click
from flask import current_app

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output

EPILOG = """\b
Examples:
  stats serve
  stats serve --host 0.0.0.0 --port 80
"""


@click.command(epilog=EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5000,
    show_default=True,
    help="Port to listen at; 0 for any that is free.",
)
@partial(stats_command, log_level=logging.WARNING)
def serve(output: Output, host: str, port: int) -> None:
    """Serve over HTTP and keep the statistics fresh.

    Runs until SIGTERM or Ctrl-C. Every few seconds waiting events are processed and
    aggregations brought up to date. Several of these, and workers of Celery beside them, don't
    get in each other's way. What goes wrong is said on standard error, with -v also what is done.
    """
    from stats_pipeline.serve import serve as serve_app

    def say(url: str) -> None:
        # Where nothing is mounted, the page has no address.
        prefix = current_stats.settings["STATS_URL_PREFIX"]
        page = None if prefix is None else f"{url.removesuffix('/')}{prefix}/dashboard"
        lines = [f"Listening at {url}", *([f"Charts are at {page}"] if page else [])]
        output.result({"url": url, "dashboard": page}, lines)

    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    serve_app(app, host=host, port=port, on_ready=say)
