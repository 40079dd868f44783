"""`stats events acknowledge-loss`: get on with an event type of which an index is gone for good."""

from __future__ import annotations

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output

EPILOG = """\b
Example:
  stats events acknowledge-loss events-stats-file-download-2016-12
"""


@click.command("acknowledge-loss", epilog=EPILOG)
@click.argument("index", metavar="INDEX")
@stats_command
def acknowledge_loss(output: Output, index: str) -> None:
    """Get on without an event index that is lost for good.

    For an index that was deleted, or replaced by another one, and that no backup has. The rows of
    its time stay as they are and are never computed again; events that still come for its time
    become dead letters (too_late). The event type goes on. An interval of which only a part is
    lost is computed again from what is left, by the next update, unless it follows from its days.
    Can't be undone: if there is a backup, restore it instead. INDEX is its whole name, as the
    error says it.
    """
    report = current_stats.acknowledge_loss(index)
    output.result(
        report.as_dict(),
        [
            f"Rows of {report.event_type} from {report.start} to {report.end} stay as they are",
            "Events that come for this time from now on are dead letters (too_late)",
            *(
                f"Computed from what is left: {name}, what begins at {', '.join(starts)}"
                for name, starts in report.shrunk.items()
            ),
        ],
    )
