"""`stats dead-letters`: look at, replay and purge events that could not be counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, table, tree
from stats_pipeline.errors import UnknownEventType
from stats_pipeline.events.letter import KINDS, Replayed

LIST_EPILOG = """\b
Examples:
  stats dead-letters list --kind invalid --limit 20
  stats dead-letters list --type access-log --since 2016-12-18 --json
"""

REPLAY_EPILOG = """\b
Examples:
  stats dead-letters replay --all
  stats dead-letters replay --type access-log --kind preprocessor
  stats dead-letters replay 67f9a60c17624f495e78fd4d1ac2ec9b && stats events process
"""

PURGE_EPILOG = """\b
Examples:
  stats dead-letters purge --kind undecodable --before 2016-12-18
  stats dead-letters purge 67f9a60c17624f495e78fd4d1ac2ec9b
"""


def _filters(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--before", metavar="TIME", help="Only those from before this time."),
        click.option(
            "--since", metavar="TIME", help="Only those from this ISO 8601 date or time on."
        ),
        click.option("--kind", type=click.Choice(KINDS), help="Only those that failed so."),
        click.option(
            "--type", "event_type", metavar="EVENT_TYPE", help="Only those of this event type."
        ),
    ):
        function = option(function)
    return function


def _which(function: Callable[..., None]) -> Callable[..., None]:
    ids = click.argument("ids", nargs=-1, metavar="[ID]...")
    all_ = click.option("--all", "is_all", is_flag=True, help="All of them.")
    return ids(all_(_filters(function)))


@click.command("list", epilog=LIST_EPILOG)
@_filters
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="How many at most.",
)
@stats_command
def list_letters(output: Output, limit: int, **filters: str | None) -> None:
    """List events that could not be counted, and why.

    Oldest first. With --json the events are there as they came in, which is personal data.
    """
    _check_type(filters["event_type"])
    letters = current_stats.dead_letters.list(**filters, limit=limit)
    rows = [(each.id, each.time, each.event_type, each.kind, each.error) for each in letters]
    output.result(
        [each.as_dict() for each in letters],
        table(rows, ("id", "time", "event type", "kind", "error")) if rows else (),
    )
    if len(letters) == limit:
        more = current_stats.dead_letters.count(**filters) - limit
        if more > 0:
            output.warning(f"{more:,} more are not shown; see --limit")


@click.command()
@click.argument("id_", metavar="ID")
@stats_command
def show(output: Output, id_: str) -> None:
    """Show one dead letter.

    The event is there as it came in, which is personal data.
    """
    letter = current_stats.dead_letters.show(id_).as_dict()
    output.result(letter, tree(letter))


@click.command(epilog=REPLAY_EPILOG)
@_which
@stats_command
def replay(output: Output, ids: tuple[str, ...], is_all: bool, **filters: str | None) -> None:
    """Put dead letters into the queue again.

    Those of these ids, those that all of the options describe, or --all. For when their cause is
    mended; `stats events process` then takes them as if they were new.
    """
    report = current_stats.dead_letters.replay(**_chosen(ids, is_all, filters))
    output.result(report.as_dict(), _replay_lines(report))


@click.command(epilog=PURGE_EPILOG)
@_which
@stats_command
def purge(output: Output, ids: tuple[str, ...], is_all: bool, **filters: str | None) -> None:
    """Delete dead letters for good.

    Those of these ids, those that all of the options describe, or --all.
    """
    purged = current_stats.dead_letters.purge(**_chosen(ids, is_all, filters))
    output.result({"purged": purged}, [f"{purged:,} purged"])


def _replay_lines(report: Replayed) -> Iterator[str]:
    yield f"{report:,} replayed"
    for reason, number in report.kept.items():
        yield f"{number:,} can't be replayed and stay: {reason}"


def _chosen(ids: tuple[str, ...], is_all: bool, filters: dict[str, str | None]) -> dict[str, Any]:
    """Return what to call with: exactly one of the three ways to choose must be taken."""
    has_filters = any(value is not None for value in filters.values())
    if bool(ids) + is_all + has_filters != 1:
        raise click.UsageError(
            "Give the ids of dead letters, or --all, or some of --type, --kind, --since, --before"
        )
    _check_type(filters["event_type"])
    return filters if has_filters else {"ids": list(ids) or None}


def _check_type(event_type: str | None) -> None:
    """Refuse a type that nobody has registered, unless there are letters of it: they outlive it."""
    registered = current_stats.registries.event_items
    if event_type is None or event_type in registered:
        return
    buried = current_stats.dead_letters.summary().types
    if event_type not in buried:
        raise UnknownEventType(event_type, {*registered, *buried})
