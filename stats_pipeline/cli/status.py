"""`stats status`: how the pipeline is doing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import Unavailable
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
    left out if they have no rows (-v and --json: they are there). What can't be known now says why
    in its place; all else is shown, and the exit code is 1.
    """
    found = current_stats.status()
    output.result(found, _lines(found, shows_all=output.verbosity > 0))
    if found["errors"]:
        raise Unavailable(f"not everything is known now: {'; '.join(found['errors'])}")


def _lines(found: Mapping[str, Any], *, shows_all: bool) -> Iterator[str]:
    for name in ("store", "queue", "spooled_messages", "dead_letters"):
        more = _fullness(found) if name == "spooled_messages" else ""
        yield f"{name}: {_shown(found[name])}{more}"
    yield from _dead_letters(found["dead_letter_summary"])
    yield from _section("events", found["events"], _event_type, EVENT_COLUMNS, "none is active")
    aggregations = found["aggregations"] if shows_all else _in_use(found["aggregations"])
    yield from _section(
        "aggregations", aggregations, _aggregation, AGGREGATION_COLUMNS, "none is in use"
    )
    runs = found["runs"]
    if _why(runs):
        yield from ("", f"last runs: {_shown(runs)}")
        return
    shown = runs if shows_all else runs[:FEW_RUNS]
    yield from _rows("last runs", [_run(run) for run in shown], RUN_COLUMNS, "nothing yet")
    if shows_all:
        columns = ("ended at", "job", "aggregation", *NUMBERS)
        rows = [row for run in runs for row in _aggregations_of(run)]
        yield from _rows("last runs by aggregation", rows, columns, "nothing yet")


def _section(
    title: str,
    found: Mapping[str, Any],
    cells: Callable[[Mapping[str, Any]], list[Any]],
    columns: tuple[str, ...],
    empty: str,
) -> Iterator[str]:
    """Yield a table with a line for each name; what is not known is a ? there, and why below."""
    table_rows: list[list[Any]] = []
    unknown: dict[str, dict[str, None]] = {}
    for name, each in found.items():
        values = [each] * (len(columns) - 1) if _why(each) else cells(each)
        table_rows.append([name, *("?" if _why(value) else value for value in values)])
        for why in filter(None, map(_why, values)):
            unknown.setdefault(why, {})[name] = None
    yield from _rows(title, table_rows, columns, empty)
    yield from (f"  ? {', '.join(names)}: {why}" for why, names in unknown.items())


def _rows(title: str, rows: list[list[Any]], columns: tuple[str, ...], empty: str) -> Iterator[str]:
    yield ""
    if rows:
        yield f"{title}:"
        yield from (f"  {line}" for line in table(rows, columns))
    else:
        yield f"{title}: {empty}"


def _why(value: Any) -> str | None:
    """Return why a value is not known, None where it is."""
    return value.get("error") if isinstance(value, Mapping) else None


def _fullness(found: Mapping[str, Any]) -> str:
    """Return how full the spool is, where there is one and that is known."""
    size = found["spool_megabytes"]
    return f" ({size['used']:,} of {size['limit']:,} MB)" if size and not _why(size) else ""


def _shown(value: Any) -> Any:
    why = _why(value)
    return value if why is None else f"not known: {why}"


def _dead_letters(summary: Mapping[str, Any]) -> Iterator[str]:
    if _why(summary) or not summary["total"]:
        return
    yield f"  in the last 24 h: {summary['last_day']}, oldest: {summary['oldest']}"
    for event_type, kinds in summary["types"].items():
        counts = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        yield f"  {event_type}: {counts}"


def _event_type(found: Mapping[str, Any]) -> list[Any]:
    return [
        found["waiting_messages"],
        found["oldest_waiting"],
        found["stored_events"],
        _percent(found["robot_share"]),
        found["stored_events_last_day"],
        _percent(found["robot_share_last_day"]),
    ]


def _percent(share: Any) -> Any:
    return f"{share:.1%}" if isinstance(share, float) else share


def _in_use(aggregations: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the aggregations that this application uses, all of them where that is not known."""
    if any(map(_why, aggregations.values())):
        return aggregations
    unused = current_stats.unused_aggregations()
    return {name: each for name, each in aggregations.items() if name not in unused}


def _aggregation(found: Mapping[str, Any]) -> list[Any]:
    return [found["dirty_intervals"], found["as_of"] or "never updated"]


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
