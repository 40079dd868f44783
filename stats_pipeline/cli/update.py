"""`stats update` and `stats reset`: compute the rows of aggregations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import fail_if_any
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, table
from stats_pipeline.cli.stopping import asked_to_stop
from stats_pipeline.reports import AggregationReport, UpdateReport
from stats_pipeline.text import noun, one_line

UPDATE_EPILOG = """\b
Examples:
  stats update
  stats update access-log-agg --start 2015-05-17 --end 2015-05-20
"""

RESET_EPILOG = """\b
Examples:
  stats reset file-download-agg
  stats reset --start 2016-12-01 --end 2016-12-31 -v
"""

COLUMNS = ("intervals", "created", "updated", "unchanged", "deleted")

#: Intervals that are named.
NAMED = 3

NAMES = click.argument("names", nargs=-1, metavar="[AGGREGATION]...")


def _range(function: Callable[..., None]) -> Callable[..., None]:
    start = click.option(
        "--start", metavar="TIME", help="Only intervals from this ISO 8601 date or time on."
    )
    end = click.option(
        "--end",
        metavar="TIME",
        help="Only intervals before this time; a bare date means through its end, in the time zone "
        "of each aggregation.",
    )
    return start(end(function))


@click.command(epilog=UPDATE_EPILOG)
@NAMES
@_range
@stats_command
def update(output: Output, names: tuple[str, ...], start: str | None, end: str | None) -> None:
    """Bring aggregations up to date.

    All of them, or those that are named. Recomputes what has changed since the last update,
    also in the past. Fit for cron: prints nothing there unless something is wrong or left, and
    may overlap with other runs. What another run holds is left to it, or to the next update. On
    SIGTERM it finishes the intervals that it is at, and ends. Shows what had something to do; with
    -v all aggregations.
    """
    report, why_pending = _run(output, "Updating", current_stats.update, (names, start, end))
    _say(output, report, names)
    pending = {name: len(each.pending) for name, each in _unfinished(report).items()}
    if pending:
        named = ", ".join(f"{name}: {number}" for name, number in pending.items())
        output.warning(
            f"{_pending(sum(pending.values()))}, since {why_pending} ({named}); the "
            "next updates do what it leaves"
        )
    fail_if_any(_errors(report))


@click.command(epilog=RESET_EPILOG)
@NAMES
@_range
@stats_command
def reset(output: Output, names: tuple[str, ...], start: str | None, end: str | None) -> None:
    """Recompute aggregations from the events.

    All of them, or those that are named, as after a change of their definition. The rows there
    are stay readable until the new ones have taken their place. Asks nothing. On SIGTERM it
    finishes the intervals that it is at, and ends. Where something is left to do, the exit code
    is 1, and the same command goes on with it.
    """
    report, why_pending = _run(output, "Recomputing", current_stats.reset, (names, start, end))
    _say(output, report, names, is_reset=True)
    seen = "the old rows" if start is end is None else "the old rows of these"
    errors = _errors(report)
    pending = {
        name: f"the reset is not in effect: {_named(each.pending)}, since "
        f"{why_pending}. Readers still see {seen}; run the same command again"
        + (f"; {errors[name]}" if errors[name] else "")
        for name, each in _unfinished(report).items()
    }
    fail_if_any({**errors, **pending})


def _run(
    output: Output,
    label: str,
    recompute: Callable[..., UpdateReport],
    asked: tuple[Sequence[str], str | None, str | None],
) -> tuple[UpdateReport, str]:
    """Work until it is done or SIGTERM comes; return the report, and why something is pending."""
    names, start, end = asked
    with output.progress(label) as progress, asked_to_stop() as should_stop:
        report = recompute(
            list(names) or None,
            start,
            end,
            progress=progress,
            notice=output.notice,
            should_stop=should_stop,
        )
    if should_stop():
        return report, "it was told to end"
    return report, "another run holds what is pending or was killed at it"


def _say(
    output: Output, report: UpdateReport, names: Sequence[str], *, is_reset: bool = False
) -> None:
    output.summary(report.as_dict(), _lines(report, names, shows_all=output.verbosity > 0))
    if output.verbosity > 1 and not output.as_json:
        # On a terminal only, and not where the person has turned colours off (no-color.org).
        color = False if os.environ.get("NO_COLOR") else None
        for line in _sentences(report, is_reset=is_reset):
            click.secho(one_line(line), fg="green", color=color)
    for name, each in report.aggregations.items():
        if number := len(each.counted_twice):
            output.warning(
                f"{name}: {number} {noun(number, 'interval has', 'intervals have')} imported rows "
                f"as well {_starts(each.counted_twice)}, which answers add to those that were "
                "counted here: see `stats rows list` and `stats rows delete`"
            )
        if each.sealed_before:
            output.warning(
                f"{name}: rows that end by {each.sealed_before} stay as they are, since their "
                "events are deleted (retention_days)"
            )


def _errors(report: UpdateReport) -> dict[str, str]:
    return {name: each.trouble for name, each in report.aggregations.items()}


def _unfinished(report: UpdateReport) -> dict[str, AggregationReport]:
    """Return the reports of those that have pending intervals without an error."""
    return {
        name: each for name, each in report.aggregations.items() if each.pending and not each.error
    }


def _named(pending: Sequence[str]) -> str:
    return f"{_pending(len(pending))} {_starts(pending)}"


def _starts(intervals: Sequence[str]) -> str:
    more = f" and {len(intervals) - NAMED} more" if len(intervals) > NAMED else ""
    return f"({', '.join(intervals[:NAMED])}{more})"


def _pending(number: int) -> str:
    return f"{number} {noun(number, 'interval is', 'intervals are')} pending"


def _lines(report: UpdateReport, names: Sequence[str], *, shows_all: bool) -> Iterator[str]:
    """Yield the table, by default of those aggregations for which there was something to do.

    Of those that this application does not use nothing is said, unless somebody has named them.
    """
    shown = {
        name: each
        for name, each in report.aggregations.items()
        if shows_all or each.intervals or not each.is_complete
    }
    rows = [
        [name, *(getattr(each, column) for column in COLUMNS), len(each.pending)]
        for name, each in shown.items()
    ]
    if rows:
        yield from table(rows, ("aggregation", *COLUMNS, "pending"))
    idle = report.aggregations.keys() - shown.keys()
    if idle and not names:
        idle -= current_stats.unused_aggregations()
    if idle or not shown:
        yield f"{len(idle)} {noun(len(idle), 'aggregation')} had nothing to do"


def _sentences(report: UpdateReport, *, is_reset: bool) -> Iterator[str]:
    """Yield what became of rows: the deletions of each aggregation, then each of its counters.

    Zeros as well, but that an update, which seldom deletes anything, has deleted nothing. Nothing
    of an aggregation that was not begun with.
    """
    begun = {name: each for name, each in report.aggregations.items() if each.counters}
    for name, each in begun.items():
        if is_reset or each.deleted:
            yield f"{each.deleted} {name} deleted"
    for name, each in begun.items():
        for counter, touched in each.counters.items():
            yield f"{touched.created} {name} created for counter {counter}"
            yield f"{touched.updated} {name} updated for counter {counter}"
