"""`stats dead-letters`: look at, replay and purge events that could not be counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, table

REPLAY_EPILOG = """\b
Examples:
  stats dead-letters replay --all
  stats dead-letters replay 67f9a60c17624f495e78fd4d1ac2ec9b && stats events process
"""


@click.command("list")
@click.option("--type", "event_type", metavar="EVENT_TYPE", help="Only those of this event type.")
@click.option(
    "--kind",
    type=click.Choice(["invalid", "preprocessor", "rejected", "too_late", "undecodable"]),
    help="Only those that failed in this way.",
)
@stats_command
def list_letters(output: Output, event_type: str | None, kind: str | None) -> None:
    """List events that could not be counted, and why.

    Oldest first. With --json the events are there as they came in, which is personal data.
    """
    letters = current_stats.dead_letters.list(event_type=event_type, kind=kind)
    rows = [(each.id, each.time, each.event_type, each.kind, each.error) for each in letters]
    output.result(
        [each.as_dict() for each in letters],
        table(rows, ("id", "time", "event type", "kind", "error")) if rows else (),
    )


def _which(function: Callable[..., None]) -> Callable[..., None]:
    ids = click.argument("ids", nargs=-1, metavar="[ID]...")
    all_ = click.option("--all", "is_all", is_flag=True, help="All of them.")
    return ids(all_(function))


@click.command(epilog=REPLAY_EPILOG)
@_which
@stats_command
def replay(output: Output, ids: tuple[str, ...], is_all: bool) -> None:
    """Put dead letters into the queue again.

    For when their cause is mended; `stats events process` then takes them as if they were new.
    """
    replayed = current_stats.dead_letters.replay(_chosen(ids, is_all))
    output.result({"replayed": replayed}, [f"{replayed:,} replayed"])


@click.command()
@_which
@stats_command
def purge(output: Output, ids: tuple[str, ...], is_all: bool) -> None:
    """Delete dead letters for good."""
    purged = current_stats.dead_letters.purge(_chosen(ids, is_all))
    output.result({"purged": purged}, [f"{purged:,} purged"])


def _chosen(ids: Sequence[str], is_all: bool) -> list[str] | None:
    if is_all == bool(ids):
        raise click.UsageError("Give the ids of dead letters, or --all")
    return None if is_all else list(ids)
