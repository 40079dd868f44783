"""`stats query`: ask a named query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, table, tree
from stats_pipeline.errors import StatsError
from stats_pipeline.queries.listing import check_parameters, describe
from stats_pipeline.queries.tables import bucket_rows, column_names, has_buckets

EPILOG = """\b
Examples:
  stats query --list
  stats query access-log-terms start_date=2015-05-17 end_date=2015-05-20
  stats query access-log-histogram path=/ path=/about interval=week --json
"""


@click.command(epilog=EPILOG)
@click.argument("name", required=False)
@click.argument("parameters", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--list", "is_list", is_flag=True, help="List all queries with their parameters.")
@stats_command
def query(output: Output, name: str | None, parameters: tuple[str, ...], is_list: bool) -> None:
    """Ask a named query.

    A key that is given several times takes any of its values. Numbers are as fresh as the last
    update, which the answer calls as_of.
    """
    if is_list == bool(name):
        raise click.UsageError("Give the name of a query, or --list")
    if name is None:
        _list_queries(output)
        return
    params = _read(parameters)
    check_parameters(current_stats.registries.query(name), params)
    answer = current_stats.query(name, **params)
    output.result(answer, _lines(answer))


def _list_queries(output: Output) -> None:
    registries = current_stats.registries
    found = []
    for name in sorted(registries.query_items):
        try:
            found.append(describe(registries.query(name)))
        except StatsError as error:
            output.warning(f"The query {name!r} can't be used: {error}")
    output.result(found, (line for entry in found for line in _described(entry)))


def _described(entry: Mapping[str, Any]) -> Iterator[str]:
    yield f"{entry['name']}  {entry['description']}".rstrip()
    for parameter in entry["parameters"]:
        # A host's own class may leave out what it likes.
        required = "required" if parameter.get("required") else "optional"
        line = f"  {parameter.get('name')} ({parameter.get('type', 'any')}, {required})"
        yield f"{line}: {parameter.get('description') or ''}".rstrip(": ")


def _read(parameters: Sequence[str]) -> dict[str, Any]:
    given: dict[str, list[str]] = {}
    for parameter in parameters:
        key, separator, value = parameter.partition("=")
        if not separator or not key:
            raise click.UsageError(f"{parameter!r} is not KEY=VALUE")
        given.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in given.items()}


def _lines(answer: Any) -> Iterator[str]:
    """Yield the lines of an answer: what is said once, then its buckets as a table."""
    if not has_buckets(answer):
        yield from tree(answer if isinstance(answer, dict) else {"value": answer})
        return
    yield from tree({key: value for key, value in answer.items() if key != "buckets"})
    if rows := bucket_rows(answer):
        columns = column_names(rows)
        yield ""
        yield from table([[row.get(column) for column in columns] for row in rows], columns)
