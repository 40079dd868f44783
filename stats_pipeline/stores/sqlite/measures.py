"""Metrics as SQL: what to select for each, and how its value is read from that."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from stats_pipeline.fields import WHOLE_NUMBERS
from stats_pipeline.metrics import Count, First, Last, Max, Mean, Metric, Min, Sum, Unique
from stats_pipeline.sketches import DistinctValues
from stats_pipeline.stores.protocol import Distinct
from stats_pipeline.stores.sqlite.sql import ByValue, Source, Sql, filtered
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


def measures(
    source: Source, metrics: Mapping[str, Metric], documents: ByValue
) -> dict[str, Measure]:
    """Return metrics as SQL.

    Args:
        source: of the documents.
        metrics: what to compute.
        documents: those of the source by the values of all `Unique` fields.
    """
    return {
        name: _distinct(source, metric, documents.values[metric.field])
        if isinstance(metric, Unique)
        else _measure(source, metric, documents.once)
        for name, metric in metrics.items()
    }


def newest_value(source: Source, order: Sequence[str], value: str) -> str:
    """Return the SQL for what the last document by these fields has."""
    return f"newest({_order(source, order)}, {value})"


def add_aggregates(connection: sqlite3.Connection) -> None:
    """Make the aggregates that are not SQLite's own known to this connection."""
    connection.create_aggregate("oldest", -1, _Oldest)
    connection.create_aggregate("newest", -1, _Newest)
    connection.create_aggregate("count_and_sketch", 1, _CountAndSketch)


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


class _CountAndSketch:
    # As text; where no row has a value it is null.

    def __init__(self) -> None:
        self.values: DistinctValues | None = None

    def step(self, value: Any) -> None:
        if value is not None:
            self.values = self.values or DistinctValues()
            self.values.add(value)

    def finalize(self) -> Any:
        return None if self.values is None else f"{self.values.count} {self.values.sketch}"


def _measure(source: Source, metric: Metric, once: Sequence[Sql]) -> Measure:
    columns, read = _columns(source, metric)
    kept = [*_condition(source, metric), *once]
    return Measure(tuple(filtered(column, kept) for column in columns), read)


def _distinct(source: Source, metric: Unique, column: str) -> Measure:
    if source.types.get(metric.field) == "boolean":
        column = f"case {column} when 0 then '{False}' when 1 then '{True}' end"
    call = f"count_and_sketch(distinct {column})"
    return Measure((filtered(call, _condition(source, metric)),), _count_and_sketch)


def _condition(source: Source, metric: Metric) -> list[Sql]:
    clauses = metric.filter.clauses
    return [source.condition(clauses)] if clauses else []


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


def _count_and_sketch(values: Sequence[Any]) -> Distinct:
    if values[0] is None:
        return 0, None
    number, sketch = values[0].split(" ")
    return int(number), sketch


def _decoded(field_type: str, values: Sequence[Any]) -> Any:
    return decode_value(field_type, values[0])
