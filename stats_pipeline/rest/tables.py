"""Answers as tables: one row for each bucket, nested buckets beside the keys above them.

Pure: no I/O, no Flask.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

#: Names of columns; or label -> names.
Columns = Sequence[str] | Mapping[str, Sequence[str]]

#: Keys of a bucket that say what the table says by its columns.
STRUCTURE = frozenset({"key", "type", "field", "key_type", "buckets"})

#: Of the table of several answers: which one a line is of.
LABEL = "label"

#: Of the list of queries.
QUERY_COLUMNS = ("name", "description", "parameters")


@dataclass(frozen=True, slots=True)
class Table:
    """Be the names of the columns, and rows with one text for each column."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def tabulate(answer: Any, columns: Columns = ()) -> Table:
    """Return the table of one answer, of labelled answers, or of the list of queries.

    Args:
        answer: what is shown.
        columns: those that come first, also where no row has them; of labelled answers by label.
    """
    if isinstance(columns, Mapping):
        first = [LABEL, *(_beside_label(name) for names in columns.values() for name in names)]
        rows = list(_labelled_rows(answer))
    else:
        first, rows = list(columns), list(_rows(answer))
    names = list(dict.fromkeys([*first, *(name for row in rows for name in row)]))
    return Table(names, [[cell_text(row.get(name)) for name in names] for row in rows])


def cell_text(value: Any) -> str:
    """Return how a value is written in a cell: whole numbers without a point, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    return json.dumps(value, default=str, ensure_ascii=False)


def _labelled_rows(answers: Mapping[str, Any]) -> Iterator[Row]:
    for label, answer in answers.items():
        for row in _rows(answer):
            yield {LABEL: label, **{_beside_label(name): cell for name, cell in row.items()}}


def _beside_label(name: str) -> str:
    """Return how a column is called beside the labels, which have the name for themselves."""
    return f"{name}_" if name.rstrip("_") == LABEL else name


def _rows(answer: Any) -> Iterator[Row]:
    if not isinstance(answer, Mapping):
        yield {"value": answer}
    elif _are_buckets(answer.get("queries")):
        yield from (_query_row(query) for query in answer["queries"])
    elif _are_buckets(answer.get("buckets")):
        # Beside each number: a line of a table is read without the answer around it.
        said = {"approximate": answer["approximate"]} if answer.get("approximate") else {}
        yield from ({**row, **said} for row in _bucket_rows(answer, {}))
    else:
        # A host's own class may name things by numbers, as JSON turns them into text, too.
        yield {str(name): cell for name, cell in answer.items()}


def _bucket_rows(level: Mapping[str, Any], above: Row) -> Iterator[Row]:
    for bucket in level["buckets"]:
        key = {level["field"]: bucket.get("key")} if isinstance(level.get("field"), str) else {}
        row = {**above, **key}
        if _are_buckets(bucket.get("buckets")):
            yield from _bucket_rows(bucket, row)
        else:
            yield {**row, **{name: v for name, v in bucket.items() if name not in STRUCTURE}}


def _query_row(query: Mapping[str, Any]) -> Row:
    parameters = [
        f"{p.get('name')} (required)" if p.get("required") else str(p.get("name"))
        for p in query.get("parameters", ())
        if isinstance(p, Mapping)
    ]
    return {
        "name": query.get("name"),
        "description": query.get("description"),
        "parameters": ", ".join(parameters),
    }


def _are_buckets(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(bucket, Mapping) for bucket in value)
