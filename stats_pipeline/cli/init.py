"""`stats init`: make what the pipeline needs."""

from __future__ import annotations

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, tree


@click.command()
@stats_command
def init(output: Output) -> None:
    """Make index templates, indices and queues.

    Not needed before anything else, since whatever needs them makes them; it shows early whether
    store and queue can be used. Repeating it changes nothing.
    """
    made = current_stats.init()
    output.summary(made, tree(made))
