"""Metrics: the numbers that an aggregation computes for each interval and combination of values.

Declarations only; the stores compute them. `parse_metric` reads the short form ``("sum", "size")``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stats_pipeline.errors import DefinitionError, nearest
from stats_pipeline.model import Filter, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filtered:
    #: Which events the metric sees: by one field, or by several, all of which must hold.
    where: Where | Filter | None = None

    def __post_init__(self) -> None:
        # One form of what means the same, since a change of metrics wants a reset.
        if isinstance(self.where, Filter) and len(self.where.clauses) == 1:
            (clause,) = self.where.clauses
            if isinstance(clause, Where):
                object.__setattr__(self, "where", clause)

    @property
    def filter(self) -> Filter:
        """Return `where` as a filter; without clauses it keeps everything."""
        if isinstance(self.where, Where):
            return Filter((self.where,))
        return self.where or Filter()


@dataclass(frozen=True, slots=True)
class Count(_Filtered):
    """Count the events (those that `where` keeps)."""


@dataclass(frozen=True, slots=True)
class _OfField(_Filtered):
    field: str


@dataclass(frozen=True, slots=True)
class Sum(_OfField):
    """Add up a numeric field; 0 where no event has it."""


@dataclass(frozen=True, slots=True)
class Unique(_OfField):
    """Count the distinct values of a field, exactly; events without it don't count."""


@dataclass(frozen=True, slots=True)
class Min(_OfField):
    """Keep the smallest number or earliest date of a field; null where no event has it."""


@dataclass(frozen=True, slots=True)
class Max(_OfField):
    """Keep the largest number or latest date of a field; null where no event has it."""


@dataclass(frozen=True, slots=True)
class Mean(_OfField):
    """Average a numeric field over the events that have it; null where none has."""


@dataclass(frozen=True, slots=True)
class First(_OfField):
    """Keep the field's value in the oldest event, null if that has none."""


@dataclass(frozen=True, slots=True)
class Last(_OfField):
    """Keep the field's value in the newest event, null if that has none."""


Metric = Count | Sum | Unique | Min | Max | Mean | First | Last

_BY_NAME: Mapping[str, type[Any]] = {
    "count": Count,
    "sum": Sum,
    "unique": Unique,
    "min": Min,
    "max": Max,
    "mean": Mean,
    "first": First,
    "last": Last,
}


def sketch_field(metric_name: str) -> str:
    """Return the row field that holds the sketch of a `Unique` metric."""
    return f"{metric_name}_sketch"


def parse_metric(spec: object, *, owner: str) -> Metric:
    """Return the metric that a registration or query means; refuse anything else by name.

    Args:
        spec: a metric object, or a pair such as ``("sum", "size")``.
        owner: who declared it, for the error message.
    """
    if isinstance(spec, Count | Sum | Unique | Min | Max | Mean | First | Last):
        _check_where(spec, owner)
        return spec
    pair: Sequence[Any] = ("", None)
    if isinstance(spec, tuple | list) and len(spec) == 2:
        pair = spec
    kind, field = pair
    if kind not in list(_BY_NAME):
        raise DefinitionError(
            f"{owner}: {spec!r} is not a metric; write (kind, field), such as ('sum', 'size'), or "
            f"an object, such as Sum('size'){nearest(kind, _BY_NAME)}"
        )
    if kind == "count":
        return Count()
    if not isinstance(field, str) or not field:
        raise DefinitionError(f"{owner}: the metric {spec!r} needs the name of a field")
    metric: Metric = _BY_NAME[kind](field)
    return metric


def _check_where(metric: Metric, owner: str) -> None:
    if not isinstance(metric.where, Where | Filter | None):
        raise DefinitionError(
            f"{owner}: where={metric.where!r} of a {type(metric).__name__} is neither a Where, "
            "such as Where('reason', include=['UNKNOWN']), nor a Filter of several, such as "
            "Filter().where('kind', ['crash']).where('reason', exclude=['UNKNOWN'])"
        )
    if metric.where is not None and not metric.filter.clauses:
        raise DefinitionError(
            f"{owner}: where=Filter() of a {type(metric).__name__} keeps everything: give it a "
            "condition, such as Filter().where('reason', ['UNKNOWN']), or leave it out"
        )
