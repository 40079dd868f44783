"""`stats status`: how the pipeline is doing."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, table

#: Runs that are shown without -v.
FEW_RUNS = 5

EVENT_COLUMNS = (
    "event type",
    "waiting messages",
    "oldest waiting",
    "stored",
    "robots",
    "last 24 h",
    "robots in 24 h",
)
AGGREGATION_COLUMNS = ("aggregation", "dirty intervals", "up to date as of")
RUN_COLUMNS = ("ended at", "job", "times", "window", "pending", "what was done")
NUMBERS = ("intervals", "created", "updated", "unchanged", "deleted", "pending")


@click.command()
@stats_command
def status(output: Output) -> None:
    """Show how the pipeline is doing.

    What waits and since when, what is stored and how much of it is by robots, how fresh each
    aggregation is, what could not be counted, and what the last runs did (-v: more of them, and
    their numbers for each aggregation). Aggregations of event types that are not active here are
    left out if they have no rows (-v and --json: they are there).
    """
    found = current_stats.status()
    output.result(found, _lines(found, shows_all=output.verbosity > 0))


def _lines(found: Mapping[str, Any], *, shows_all: bool) -> Iterator[str]:
    yield f"store: {found['store']}"
    yield f"queue: {found['queue']}"
    yield f"spooled_messages: {found['spooled_messages']}"
    yield f"dead_letters: {found['dead_letters']}"
    yield from _dead_letters(found["dead_letter_summary"])
    yield from _section("events", list(_events(found["events"])), EVENT_COLUMNS, "none is active")
    unused = set() if shows_all else current_stats.unused_aggregations()
    aggregations = list(_aggregations(found["aggregations"], unused))
    yield from _section("aggregations", aggregations, AGGREGATION_COLUMNS, "none is in use")
    runs = found["runs"] if shows_all else found["runs"][:FEW_RUNS]
    yield from _section("last runs", [_run(run) for run in runs], RUN_COLUMNS, "nothing yet")
    if shows_all:
        columns = ("ended at", "job", "aggregation", *NUMBERS)
        rows = [row for run in runs for row in _aggregations_of(run)]
        yield from _section("last runs by aggregation", rows, columns, "nothing yet")


def _section(
    title: str, rows: list[list[Any]], columns: tuple[str, ...], empty: str
) -> Iterator[str]:
    yield ""
    if rows:
        yield f"{title}:"
        yield from (f"  {line}" for line in table(rows, columns))
    else:
        yield f"{title}: {empty}"


def _dead_letters(summary: Mapping[str, Any]) -> Iterator[str]:
    if not summary["total"]:
        return
    yield f"  in the last 24 h: {summary['last_day']}, oldest: {summary['oldest']}"
    for event_type, kinds in summary["types"].items():
        counts = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        yield f"  {event_type}: {counts}"


def _events(events: Mapping[str, Any]) -> Iterator[list[Any]]:
    for name, each in events.items():
        yield [
            name,
            each["waiting_messages"],
            each["oldest_waiting"],
            each["stored_events"],
            _percent(each["robot_share"]),
            each["stored_events_last_day"],
            _percent(each["robot_share_last_day"]),
        ]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def _aggregations(aggregations: Mapping[str, Any], unused: Container[str]) -> Iterator[list[Any]]:
    for name, each in aggregations.items():
        if "error" in each:
            yield [name, "-", each["error"]]
        elif name not in unused:
            yield [name, each["dirty_intervals"], each["as_of"] or "never updated"]


def _run(run: Mapping[str, Any]) -> list[Any]:
    done = ", ".join(f"{name}: {number:,}" for name, number in run["done"].items() if number)
    failed = (f"{name}: {error}" for name, error in run["errors"].items())
    said = "; ".join(filter(None, [done, *failed]))
    return [run["ended_at"], run["job"], run["times"], _window(run), run["pending"], said]


def _window(run: Mapping[str, Any]) -> str | None:
    start, end = run["start"], run["end"]
    if start is None and end is None:
        return None
    return " ".join(filter(None, [start, "to" if end else "and later", end]))


def _aggregations_of(run: Mapping[str, Any]) -> Iterator[list[Any]]:
    for name, numbers in run["aggregations"].items():
        yield [run["ended_at"], run["job"], name, *(numbers.get(each, 0) for each in NUMBERS)]
