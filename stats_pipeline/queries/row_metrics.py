"""Metric fields: the numbers of an answer, computed from the numbers in an aggregation's rows.

Pure: no I/O. A store computes each kind for one group of rows; a `Tally` puts groups together, as
the day rows of a month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stats_pipeline.errors import DefinitionError, nearest
from stats_pipeline.fields import LARGEST, NUMBERS, ORDERED
from stats_pipeline.metrics import Count, Max, Metric, Min, Sum, Unique
from stats_pipeline.queries.reading import Rows
from stats_pipeline.sketches import BOUND
from stats_pipeline.stores.protocol import Group

#: Kind -> what the store computes for it. A mean is a sum divided by the number of rows, so that
#: means of several groups can be put together. A sum of unique counts holds for a single row only.
STORE_METRICS: Mapping[str, type[Sum] | type[Min] | type[Max]] = {
    "sum": Sum,
    "min": Min,
    "max": Max,
    "mean": Sum,
    "unique": Sum,
}

#: The name that configurations of invenio-stats use.
ALIASES = {"avg": "mean"}

#: What every answer holds, unless a metric field of that name says otherwise.
DEFAULT = {"value": ("sum", "count")}


@dataclass(frozen=True, slots=True)
class RowMetric:
    """Be one number of an answer: its name, its kind (one of `STORE_METRICS`), and of what."""

    name: str
    kind: str
    field: str

    @property
    def store_metric(self) -> Metric:
        """Return what the store computes for a group of rows."""
        return STORE_METRICS[self.kind](self.field)

    def adds_uniques(self, rows: Rows) -> bool:
        """Tell whether it adds unique counts, which counts a visitor again in each row."""
        return self.kind in ("sum", "mean") and isinstance(rows.metrics.get(self.field), Unique)


@dataclass(slots=True)
class Tally:
    """Put the numbers of groups of rows together.

    Attributes:
        rows: how many rows.
        values: name of a metric -> the sum or extreme so far; an extreme of nothing is missing.
            What is unique in several rows comes from their sketches, in place of the sum.
        newest: the newest row, where it was asked for.
    """

    rows: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    newest: Mapping[str, Any] | None = None

    def add(self, group: Group, metrics: Sequence[RowMetric]) -> None:
        """Take in a group of rows that are newer than those taken in before."""
        self.rows += group.count
        self.newest = group.newest if group.newest is not None else self.newest
        for metric in metrics:
            value = group.values.get(metric.name)
            if value is not None:
                so_far = self.values.get(metric.name)
                self.values[metric.name] = (
                    value if so_far is None else _put_together(metric.kind, so_far, value)
                )

    def number(self, metric: RowMetric) -> float | str | None:
        """Return the number: 0 for a sum over no rows, None for a mean or extreme of nothing.

        The extreme of a date is text in ISO 8601. What is too large for a float is the largest one,
        as in a row: JSON knows no infinity.
        """
        value = self.values.get(metric.name)
        if metric.kind in ("sum", "unique"):
            return _within_floats(value or 0)
        if value is None or not self.rows:
            return None
        if isinstance(value, str):
            return value
        number = _within_floats(value)
        return number / self.rows if metric.kind == "mean" else number


def parse_row_metrics(
    metric_fields: Mapping[str, Any] | None, *, owner: str
) -> tuple[RowMetric, ...]:
    """Return the metrics of an answer, ``value`` first; refuse what can't be computed from rows."""
    specs = {**DEFAULT, **(metric_fields or {})}
    return tuple(_parse(name, spec, owner) for name, spec in specs.items())


def check_against_rows(metrics: Sequence[RowMetric], rows: Rows, *, owner: str) -> None:
    """Raise DefinitionError where a metric's field is missing in the rows, or is no number."""
    for metric in metrics:
        where = f"{owner}: the metric field {metric.name!r}"
        if metric.field not in rows.types:
            raise DefinitionError(
                f"{where}: rows have no field {metric.field!r}{nearest(metric.field, rows.types)}"
            )
        # Buckets are sorted and drawn by their value.
        is_extreme = metric.kind in ("min", "max") and metric.name != "value"
        if rows.types[metric.field] not in (ORDERED if is_extreme else NUMBERS):
            raise DefinitionError(
                f"{where}: {metric.field!r} has the type {rows.types[metric.field]}, which is no "
                "number" + (" or date" if is_extreme else "")
            )
        is_unique = isinstance(rows.metrics.get(metric.field), Unique)
        if metric.kind == "unique" and not is_unique:
            known = [name for name, of_rows in rows.metrics.items() if isinstance(of_rows, Unique)]
            raise DefinitionError(
                f"{where}: {metric.field!r} is no unique count of the rows"
                f"{nearest(metric.field, known)}"
            )
        is_in_every_row = metric.field == "count" or isinstance(
            rows.metrics.get(metric.field), Count | Sum | Unique
        )
        if metric.kind == "mean" and not is_in_every_row:
            raise DefinitionError(
                f"{where}: a mean is taken of counts, sums and unique counts, which every row has; "
                f"{metric.field!r} is none of them"
            )


def approximations(
    metrics: Sequence[RowMetric], rows: Rows, *, most_rows: int
) -> dict[str, dict[str, Any]]:
    """Return metric -> how far it may be off, and why; empty where all numbers are exact.

    The bound is a ratio of the true number. A visitor counts at most once in each row, so the sum
    of n rows is at most n times the number of visitors.

    Args:
        metrics: those of the answer.
        rows: where they come from.
        most_rows: the highest number of rows that one number of the answer was made of.
    """
    if most_rows <= 1:
        return {}
    merged = {metric.name: {"bound": BOUND} for metric in metrics if metric.kind == "unique"}
    added = {
        metric.name: {
            "bound": float(most_rows - 1),
            "reason": f"{metric.field} is exact within each row; added over several rows, a "
            "visitor counts once in each of them",
        }
        for metric in metrics
        if metric.adds_uniques(rows)
    }
    return {**merged, **added}


def _parse(name: str, spec: Any, owner: str) -> RowMetric:
    where = f"{owner}: the metric field {name!r}"
    if (
        not isinstance(spec, tuple | list)
        or len(spec) != 2
        or not all(isinstance(part, str) and part for part in spec)
    ):
        raise DefinitionError(f"{where} is {spec!r}; write (kind, row field), as ('sum', 'count')")
    kind: str = ALIASES.get(spec[0]) or spec[0]
    if kind == "cardinality":
        raise DefinitionError(
            f"{where}: rows hold numbers of visitors and no visitors; ('unique', {spec[1]!r}) "
            "says how many there are in several rows together"
        )
    if kind not in STORE_METRICS:
        known = [*STORE_METRICS, *ALIASES]
        raise DefinitionError(f"{where}: unknown kind {spec[0]!r}{nearest(spec[0], known)}")
    return RowMetric(name, kind, spec[1])


def _within_floats(value: float) -> float:
    # Also what is no number at all, as one infinity less another: so not by `nearest_number`.
    largest = LARGEST["double"]
    return float(max(-largest, min(largest, value)))


def _put_together(kind: str, so_far: Any, value: Any) -> Any:
    if kind == "min":
        return min(so_far, value)
    if kind == "max":
        return max(so_far, value)
    return so_far + value
