"""Metrics as SQL: what to select for each, and how its value is read from that."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from stats_pipeline.fields import WHOLE_NUMBERS
from stats_pipeline.metrics import Count, First, Last, Max, Mean, Metric, Min, Sum, Unique
from stats_pipeline.stores.sqlite.sql import Source, Sql
from stats_pipeline.stores.sqlite.table import column_type, decode_value

#: The order of events, for `First` and `Last`.
EVENT_ORDER = ("timestamp", "event_id")

_FUNCTIONS: Mapping[type[Metric], str] = {Min: "min", Max: "max", Mean: "avg"}

#: What stands for null in an order: less than any text, or any number.
_LEAST_TEXT = "''"
_LEAST_NUMBER = "-9e999"

#: A sum of whole numbers is taken in two halves, since SQLite's own fails beyond 64 bits.
_HALF = 32


@dataclass(frozen=True, slots=True)
class Measure:
    """Be a metric as SQL.

    Attributes:
        columns: what to select.
        read: returns the metric's value from the values of these columns.
    """

    columns: tuple[Sql, ...]
    read: Callable[[Sequence[Any]], Any]


def measure(source: Source, metric: Metric) -> Measure:
    """Return a metric of documents from this source as SQL."""
    if isinstance(metric, Unique):
        raise TypeError("stores don't compute Unique")
    columns, read = _columns(source, metric)
    if metric.where is None:
        return Measure(tuple(map(Sql, columns)), read)
    kept = source.condition([metric.where])
    return Measure(
        tuple(Sql(f"{c} filter (where {kept.text})", kept.parameters) for c in columns), read
    )


def newest_value(source: Source, order: Sequence[str], value: str) -> str:
    """Return the SQL for what the last document by these fields has."""
    return f"newest({_order(source, order)}, {value})"


def add_aggregates(connection: sqlite3.Connection) -> None:
    """Make the aggregates ``oldest`` and ``newest`` known to this connection."""
    connection.create_aggregate("oldest", -1, _Oldest)
    connection.create_aggregate("newest", -1, _Newest)


class _Oldest:
    # The last argument of the call whose other arguments are the least. Window functions would
    # do it in plain SQL, but sort all documents once more for each metric.

    def __init__(self) -> None:
        self.best: tuple[Any, ...] | None = None

    def step(self, *arguments: Any) -> None:
        if self.best is None or arguments < self.best:
            self.best = arguments

    def finalize(self) -> Any:
        return None if self.best is None else self.best[-1]


class _Newest(_Oldest):
    def step(self, *arguments: Any) -> None:
        if self.best is None or arguments > self.best:
            self.best = arguments


def _columns(source: Source, metric: Metric) -> tuple[list[str], Callable[[Sequence[Any]], Any]]:
    if isinstance(metric, Count):
        return ["count(*)"], _first
    column = source.column(metric.field)
    field_type = source.types.get(metric.field, "keyword")
    if isinstance(metric, Sum | Mean) and field_type in WHOLE_NUMBERS:
        halves = [f"sum({column} >> {_HALF})", f"sum({column} & {2**_HALF - 1})"]
        if isinstance(metric, Sum):
            return halves, _whole_sum
        return [*halves, f"count({column})"], _whole_mean
    if isinstance(metric, Sum):
        return [f"sum({column})"], _sum
    if isinstance(metric, First | Last):
        function = "oldest" if isinstance(metric, First) else "newest"
        call = f"{function}({_order(source, EVENT_ORDER)}, {column})"
    else:
        call = f"{_FUNCTIONS[type(metric)]}({column})"
    return [call], partial(_decoded, field_type)


def _order(source: Source, fields: Sequence[str]) -> str:
    # Without nulls, which Python can't compare; the id makes the order total.
    terms = []
    for field in fields:
        is_text = column_type(source.types.get(field, "keyword")) == "text"
        least = _LEAST_TEXT if is_text else _LEAST_NUMBER
        terms.append(f"coalesce({source.column(field)}, {least})")
    return ", ".join([*terms, "_id", "_index"])


def _first(values: Sequence[Any]) -> Any:
    return values[0]


def _sum(values: Sequence[Any]) -> Any:
    return values[0] or 0


def _whole_sum(values: Sequence[Any]) -> int:
    return ((values[0] or 0) << _HALF) + (values[1] or 0)


def _whole_mean(values: Sequence[Any]) -> float | None:
    return _whole_sum(values[:2]) / values[2] if values[2] else None


def _decoded(field_type: str, values: Sequence[Any]) -> Any:
    return decode_value(field_type, values[0])
