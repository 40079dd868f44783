"""`stats balance`: what became of every event."""

from __future__ import annotations

from collections.abc import Iterator

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import Unavailable
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, table
from stats_pipeline.reports import Balance, BalanceReport
from stats_pipeline.text import noun

EPILOG = """\b
Examples:
  stats balance
  stats balance file-download --json
"""

COLUMNS = ("accepted", "stored", "duplicates", "dropped", "dead")

#: Holes that are shown without --json.
SHOWN = 20


@click.command(epilog=EPILOG)
@click.argument("types", nargs=-1, metavar="[EVENT_TYPE]...")
@stats_command
def balance(output: Output, types: tuple[str, ...]) -> None:
    """Compare what was accepted with what became of it.

    Every event of every message that was processed is stored, a duplicate, dropped on purpose or
    a dead letter; and the messages of one publisher are numbered without holes. Ends with exit
    code 1 where that is not so. Exact when nothing is on its way.
    """
    report = current_stats.balance(list(types) or None)
    output.result(report.as_dict(), _lines(report))
    if not report.is_closed:
        names = [name for name, each in report.types.items() if not each.is_closed]
        raise Unavailable(f"the balance of {', '.join(names)} does not close")


def _lines(report: BalanceReport) -> Iterator[str]:
    rows = [
        [name, *(getattr(each, column) for column in COLUMNS)]
        for name, each in report.types.items()
    ]
    yield from table(rows, ("event type", *COLUMNS))
    for name, each in report.types.items():
        yield from (f"{name}: {line}" for line in _notes(each))


def _notes(balance: Balance) -> Iterator[str]:
    if balance.since is not None:
        yield f"events before {balance.since} are left out: they are deleted (retention_days)"
    for reason, number in sorted(balance.reasons.items()):
        yield f"{number:,} dropped: {reason}"
    if balance.waiting_messages or balance.spooled_messages:
        yield (
            f"messages that wait: {balance.waiting_messages:,} in the queue and "
            f"{balance.spooled_messages:,} in the spool; ask again when they are processed"
        )
    if balance.refused:
        yield f"events that were refused to those who published them: {balance.refused:,}"
    if balance.lost:
        lost = f"{balance.lost:,} {noun(balance.lost, 'event')}"
        yield f"LOST: {lost}, for which neither queue nor spool had room"
    for hole in balance.missing[:SHOWN]:
        numbers = str(hole.first) if hole.first == hole.last else f"{hole.first} to {hole.last}"
        yield (
            f"MISSING since {hole.noticed_at}: message {numbers} of {hole.publisher}. If it is "
            "neither in the queue nor in the spool of that host, it is lost"
        )
    if len(balance.missing) > SHOWN:
        more = len(balance.missing) - SHOWN
        yield f"MISSING: {more:,} more such {noun(more, 'hole')} (--json shows them all)"
    if unsettled := sum(hole.last - hole.first + 1 for hole in balance.unsettled):
        were = noun(unsettled, "message was", "messages were")
        yield (
            f"{unsettled:,} {were} being sent when the publisher ended, or still: nobody was told "
            "that it was taken (--json shows more)"
        )
    for hour, number in balance.surplus.items():
        yield f"{hour}: {number:,} more {noun(number, 'event')} stored than accepted"
