"""`stats status`: how the pipeline is doing."""

from __future__ import annotations

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, tree


@click.command()
@stats_command
def status(output: Output) -> None:
    """Show how the pipeline is doing.

    What waits, how fresh each aggregation is, and how much could not be counted.
    """
    found = current_stats.status()
    output.result(found, tree(found))
