"""`stats annotations`: facts about the values in rows, which people know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output
from stats_pipeline.errors import nearest

SET_EPILOG = """\b
Examples:
  stats annotations set version 4.0 released_on=2016-12-18 is_official=true
  stats annotations set version 4.0 note='"42"' is_official=null
"""

FIELD = click.argument("field", metavar="FIELD")
VALUE = click.argument("value", metavar="VALUE")


@click.command("list")
@click.argument("field", metavar="[FIELD]", required=False)
@stats_command
def list_annotations(output: Output, field: str | None) -> None:
    """List the facts about the values of a field, or of all fields."""
    found = current_stats.annotations.list(field)
    rows = [
        (each.field, each.value, name, json.dumps(fact, ensure_ascii=False))
        for each in found
        for name, fact in each.facts.items()
    ]
    data = [each.as_dict() for each in found]
    output.listing(data, rows, ("field", "value", "fact", "is"), empty="There are no facts")


@click.command("set", epilog=SET_EPILOG)
@FIELD
@VALUE
@click.argument("facts", nargs=-1, required=True, metavar="NAME=FACT...")
@stats_command
def set_facts(output: Output, field: str, value: str, facts: tuple[str, ...]) -> None:
    """Set facts about a value of a field of rows.

    A fact is JSON where it parses as JSON, else text; null removes one. The others stay. No
    update and no reset ever changes a fact. Facts are free: what they mean, as a date, is not
    checked. A name that no query shows is stored with a warning.
    """
    given = _read(facts)
    annotation = current_stats.annotations.set(field, value, given)
    shown = _shown(field)
    unseen = sorted((annotation.facts.keys() & given.keys()) - shown) if shown else ()
    for name in unseen:
        output.warning(f"no query shows the fact {name!r} of {field!r}{nearest(name, shown)}")
    output.summary(annotation.as_dict(), [f"{field} {value}: {json.dumps(dict(annotation.facts))}"])


@click.command()
@FIELD
@VALUE
@stats_command
def delete(output: Output, field: str, value: str) -> None:
    """Delete all facts about a value."""
    is_deleted = current_stats.annotations.delete(field, value)
    output.result({"deleted": is_deleted}, ["deleted" if is_deleted else "There were no facts"])


def _shown(field: str) -> set[str]:
    """Return the names of the facts about a field that queries show, as far as they tell."""
    registries, names = current_stats.registries, set[str]()
    for query in registries.query_items:
        # A stranger's class may do anything; the fact is set all the same.
        with suppress(Exception):
            names.update(registries.query(query).instance.annotations.get(field, ()))
    return names


def _read(facts: Sequence[str]) -> dict[str, Any]:
    read = {}
    for fact in facts:
        name, separator, text = fact.partition("=")
        if not separator or not name:
            raise click.UsageError(f"{fact!r} is not NAME=FACT")
        try:
            read[name] = json.loads(text)
        except ValueError:
            read[name] = text
    return read
