"""`stats retention`: delete what may not be kept any longer."""

from __future__ import annotations

from collections.abc import Iterator

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import fail_if_any
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, table
from stats_pipeline.reports import RetentionReport
from stats_pipeline.text import noun

EPILOG = """\b
Examples:
  stats retention apply --dry-run
  stats retention apply --json
"""

#: What STATS_GRACE_DAYS is about, as errors call it.
WITH_GRACE = frozenset({"dead_letters", "spooled_messages", "salts"})


@click.command(epilog=EPILOG)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Delete and close nothing, only say what would be deleted, at once or by a later run.",
)
@stats_command
def apply(output: Output, dry_run: bool) -> None:
    """Delete what may not be kept any longer.

    Dead letters and spooled messages that are older than STATS_GRACE_DAYS, and the keys of visitor
    ids whose time is over for that long. Events that are older than the retention_days of their
    type: their time is closed first, and a run an hour later or more deletes whole indices, where
    every aggregation has counted them. Rows stay. Prints what was deleted, what will be and when at
    the earliest, and what is kept and why. To be run once a day, which `stats serve` and Celery's
    beat do by themselves, and on each host that has a spool.
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
            ("earlier revisions of events", report.revisions),
            ("entries of the ledger", report.ledger),
        )
        for whose, number in numbers.items()
    ]
    if rows:
        done = "would be deleted" if report.is_dry_run else "deleted"
        yield from table(rows, ("what", "of", done))
    elif not report.errors.keys() & WITH_GRACE:
        yield (
            "No dead letter, no spooled message and no key of visitor ids is from before "
            f"{report.before}"
        )
    yield from _of_events(report)


def _of_events(report: RetentionReport) -> Iterator[str]:
    """Yield what becomes of events whose type has a retention; in a dry run, what would."""
    after, is_, will = "", "is", "will be"
    if report.is_dry_run:
        after, is_, will = "after a run, ", "would be", "would be"
    for name, moment in report.closing_before.items():
        yield (
            f"{name}: {after}events before {moment} are closed: those that still come are dead "
            "letters (too_late)"
        )
    for name, moment in report.sealed_before.items():
        yield f"{name}: {after}rows that end by {moment} are final"
    for index, due in report.due.items():
        yield (
            f"{index} {will} deleted with {due.events:,} {noun(due.events, 'event')} by a run at "
            f"{due.earliest} or later"
        )
    for index, why in report.kept.items():
        yield f"{index} {is_} kept: {why}"
