"""`stats rows`: history that was counted elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import UserError
from stats_pipeline.cli.lines import is_readable_once, open_lines, size_bytes
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, Progress, amount
from stats_pipeline.pipeline.moving.event_lines import LONGEST_LINE_BYTES
from stats_pipeline.pipeline.moving.history import HistoryReport
from stats_pipeline.text import noun

EPILOG = """\b
Examples:
  stats rows import access-log-agg old.ndjson.gz --source awstats
A line of that file:
  {"start": "2014-12-18", "path": "/about", "count": 12}
"""

COLUMNS = ("aggregation", "source", "rows", "first interval", "last interval")

AGGREGATION = click.argument("aggregation", metavar="AGGREGATION")
SOURCE = click.option(
    "--source", required=True, metavar="LABEL", help="Says in each row where it comes from."
)


@click.command("import", epilog=EPILOG)
@AGGREGATION
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, readable=True))
@SOURCE
@stats_command
def import_rows(output: Output, aggregation: str, file: str, source: str) -> None:
    """Import rows that were counted elsewhere.

    One JSON object in each line (plain or gzip): `start` of the interval, the dimensions, `count`,
    and what other fields rows of this aggregation have. Only for intervals of which there are no
    events, and rows that no other source has; where one line is wrong, nothing is imported. No
    update and no reset touches them, and answers say how much is of which source. May be ended at
    any time and run again: the same rows change nothing, a changed row takes its new numbers.
    """
    if is_readable_once(file):
        raise UserError(
            f"{file} can be read only once, but all rows are checked before the first is "
            "imported: write them to a file first"
        )
    history = current_stats.moving.history(aggregation, source)
    with output.progress("Reading") as progress:
        report = history.take(lambda: _lines_of(file, progress))
    output.result(report.as_dict(), _lines(report))
    if report.bad:
        bad = f"{report.bad:,} {noun(report.bad, 'line is no row', 'lines are no rows')}"
        raise UserError(f"Nothing was imported: {bad} of {aggregation}")


@click.command("delete")
@AGGREGATION
@SOURCE
@stats_command
def delete(output: Output, aggregation: str, source: str) -> None:
    """Delete the rows that were imported from a source, of which there must be some."""
    deleted = current_stats.moving.history(aggregation, source).delete()
    output.result({"deleted": deleted}, [f"{deleted:,} deleted"])


@click.command("list")
@stats_command
def list_sources(output: Output) -> None:
    """List where imported rows come from.

    How many rows there are of each aggregation and source, and the starts of the first and the last
    interval that they are of.
    """
    entries = current_stats.moving.sources()
    rows = [[e.aggregation, e.source, e.rows, e.first, e.last] for e in entries]
    data = [entry.as_dict() for entry in entries]
    output.listing(data, rows, COLUMNS, empty="No rows were imported")


def _lines_of(name: str, progress: Progress) -> Iterator[tuple[int, bytes]]:
    total_bytes = size_bytes(name)
    with open_lines(name, longest_bytes=LONGEST_LINE_BYTES) as file:
        for number, line in file.lines():
            yield number, line
            progress(file.position_bytes(), total_bytes)


def _lines(report: HistoryReport) -> Iterator[str]:
    for bad in report.bad_lines:
        yield f"line {bad['line']:,}: {bad['reason']}"
    if report.bad > len(report.bad_lines):
        yield f"... and {report.bad - len(report.bad_lines):,} more"
    intervals = f" of {report.intervals:,} {noun(report.intervals, 'interval')}"
    yield amount(report.rows, "row", intervals)
