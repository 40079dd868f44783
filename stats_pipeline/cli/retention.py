"""`stats retention`: delete what may not be kept any longer."""

from __future__ import annotations

from collections.abc import Iterator

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import fail_if_any
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, table
from stats_pipeline.reports import RetentionReport

EPILOG = """\b
Examples:
  stats retention apply --dry-run
  stats retention apply --json
"""


@click.command(epilog=EPILOG)
@click.option("--dry-run", is_flag=True, help="Delete nothing, only say what would be deleted.")
@stats_command
def apply(output: Output, dry_run: bool) -> None:
    """Delete what may not be kept any longer.

    Dead letters and spooled messages that are older than STATS_GRACE_DAYS, and the keys of visitor
    ids whose time is over for that long. Events that are older than the retention_days of their
    type: their time is closed first, and an hour later whole indices go, where every aggregation
    has counted them. Rows stay. Prints what was deleted, and what is kept and why. To be run once
    a day, which `stats serve` and Celery's beat do by themselves, and on each host that has a
    spool.
    """
    report = current_stats.apply_retention(dry_run)
    output.result(report.as_dict(), _lines(report))
    fail_if_any(report.errors)


def _lines(report: RetentionReport) -> Iterator[str]:
    rows = [
        (what, whose, number)
        for what, numbers in (
            ("dead letters", report.dead_letters),
            ("spooled messages", report.spooled_messages),
            ("keys of visitor ids", report.salts),
            ("events", report.events),
            ("entries of the ledger", report.ledger),
        )
        for whose, number in numbers.items()
    ]
    done = "would be deleted" if report.is_dry_run else "deleted"
    if rows:
        yield from table(rows, ("what", "of", done))
    else:
        yield f"Nothing is from before {report.before}"
    for name, moment in report.closing_before.items():
        yield f"{name}: events before {moment} are too late"
    for name, moment in report.sealed_before.items():
        yield f"{name}: rows that end by {moment} are final"
    for index, why in report.kept.items():
        yield f"{index} is kept: {why}"
