"""Answers as tables: one row for each innermost bucket, with the keys of those that it is in.

Ours and those of a host's own class, which may be anything: nothing here fails for its shape.

Pure: no I/O, no Flask.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

#: Names of columns; or label -> names.
Columns = Sequence[str] | Mapping[str, Sequence[str]]

#: What a level says of the buckets in it, and a table by its columns.
OF_LEVEL = frozenset({"type", "field", "key_type", "buckets"})

#: What some buckets have and others not: a key of such a name has another one in every table.
OF_SOME_BUCKETS = ("annotations", "approximate", "imported")

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
        columns: those that come first, also where no row has them; of labelled answers by label,
            of the list of queries `QUERY_COLUMNS`.
    """
    if isinstance(columns, Mapping):
        first = [LABEL, *(_beside_label(name) for names in columns.values() for name in names)]
        rows = list(_labelled_rows(answer))
    else:
        is_listing = columns is QUERY_COLUMNS
        first, rows = list(columns), list(_listed(answer) if is_listing else _rows(answer))
    names = column_names(rows, first)
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


def column_names(rows: Iterable[Row], first: Iterable[str] = ()) -> list[str]:
    """Return the names of the columns of all these rows, in the order in which they come."""
    return list(dict.fromkeys([*first, *(name for row in rows for name in row)]))


def has_buckets(answer: Any) -> bool:
    """Tell whether an answer, or a bucket, is a level of buckets."""
    buckets = answer.get("buckets") if isinstance(answer, Mapping) else None
    return isinstance(buckets, list) and all(isinstance(bucket, Mapping) for bucket in buckets)


def key_columns(keys: Sequence[str], others: Iterable[str]) -> list[str]:
    """Return how the columns of keys are called beside the others, which keep their names.

    A key that is called like another column gets a ``_`` behind its name.
    """
    taken = {*others, *OF_SOME_BUCKETS}
    columns = []
    for key in keys:
        column = key
        while column in taken or (column != key and column in keys):
            column += "_"
        taken.add(column)
        columns.append(column)
    return columns


def bucket_rows(level: Mapping[str, Any]) -> list[Row]:
    """Return one row for each bucket that has none in it: the keys above it, its own, its numbers.

    The key's column is called like the level's ``field``, or ``key`` where the level has none,
    and otherwise where a bucket has a number of that name (see `key_columns`).
    """
    lines = list(_lines(level, {}))
    keys = column_names(keys for keys, _ in lines)
    called = dict(zip(keys, key_columns(keys, column_names(c for _, c in lines)), strict=True))
    return [{**{called[name]: key for name, key in keys.items()}, **c} for keys, c in lines]


def _lines(level: Mapping[str, Any], above: Row) -> Iterator[tuple[Row, Row]]:
    """Yield the keys and the other cells of each bucket that has none in it."""
    for bucket in level["buckets"]:
        # A host's own class may name things by numbers, as JSON turns them into text, too.
        cells = {str(name): cell for name, cell in bucket.items()}
        keys = dict(above)
        if (key := _key(level, cells)) is not None:
            name, value = key
            while name in keys:  # nested by one field twice
                name += "_"
            keys[name] = value
        if has_buckets(bucket):
            if bucket["buckets"]:
                yield from _lines(bucket, keys)
                continue
            cells = {name: cell for name, cell in cells.items() if name not in OF_LEVEL}
        yield keys, cells


def _key(level: Mapping[str, Any], cells: Row) -> tuple[str, Any] | None:
    """Take the key out of the cells of a bucket, with its column; None where it has no key."""
    if "key" not in cells:
        return None
    key = cells.pop("key")
    if level.get("key_type") == "date" and "date" in cells:
        return "date", cells.pop("date")  # for people; the key is the same in milliseconds
    field = level.get("field")
    return (field if isinstance(field, str) else "key"), key


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
    elif has_buckets(answer):
        # Beside each number: a line of a table is read without the answer around it.
        said = {"approximate": answer["approximate"]} if answer.get("approximate") else {}
        yield from ({**row, **said} for row in bucket_rows(answer))
    else:
        # A host's own class may name things by numbers, as JSON turns them into text, too.
        yield {str(name): cell for name, cell in answer.items()}


def _listed(answer: Mapping[str, Any]) -> Iterator[Row]:
    for query in answer["queries"]:
        parameters = [
            f"{p.get('name')} (required)" if p.get("required") else str(p.get("name"))
            for p in query["parameters"]
            if isinstance(p, Mapping)
        ]
        yield {**query, "parameters": ", ".join(parameters)}
