"""`stats events process`: take waiting events from the queue into the store."""

from __future__ import annotations

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import fail_if_any
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, table
from stats_pipeline.cli.stopping import asked_to_stop

EPILOG = """\b
Examples:
  stats events process
  stats events process file-download --time-limit 60
"""

COLUMNS = ("taken", "indexed", "duplicates", "dropped", "dead")


@click.command(epilog=EPILOG)
@click.argument("types", nargs=-1, metavar="[EVENT_TYPE]...")
@click.option(
    "--time-limit",
    "time_limit_seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop after this time; what is left waits for the next run.",
)
@stats_command
def process(output: Output, types: tuple[str, ...], time_limit_seconds: float | None) -> None:
    """Take waiting events from the queue into the store.

    Of all active types, or of those that are named. Works until the queue is empty or the time
    is up. Fit for cron: prints nothing there unless something is wrong, and may overlap with
    other runs. On SIGTERM it finishes its batch and ends.
    """
    with output.progress("Processing") as progress, asked_to_stop() as should_stop:
        report = current_stats.process_events(
            list(types) or None, time_limit_seconds, progress=progress, should_stop=should_stop
        )
    rows = [[name, *(getattr(each, c) for c in COLUMNS)] for name, each in report.types.items()]
    output.summary(report.as_dict(), table(rows, ("event type", *COLUMNS)))
    for name, each in report.types.items():
        if each.alarm:
            output.warning(f"{name}: {each.alarm}")
    fail_if_any({name: each.error for name, each in report.types.items()})
