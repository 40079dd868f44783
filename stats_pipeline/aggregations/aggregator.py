"""The aggregator: computes the rows of one interval from its events, nothing else.

Rows come one at a time in the order of their dimensions: memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stats_pipeline.clock import format_time
from stats_pipeline.fields import nearest_number, one_form
from stats_pipeline.intervals import Period
from stats_pipeline.metrics import Unique, sketch_field
from stats_pipeline.model import Filter
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.stores.protocol import Group, Snapshot

#: Which event is the newest where two have one time: the same one on every store, at every run.
NEWEST_BY = ("timestamp", "event_id")


#: Characters of a value that a message shows.
LONGEST = 60


@dataclass(frozen=True, slots=True)
class Row:
    """Be one row.

    Attributes:
        key: the values of its dimensions.
        body: the whole document.
        unfit: why the first value that its field can't hold is not as it was computed, empty where
            all are.
    """

    key: tuple[Any, ...]
    body: Mapping[str, Any]
    unfit: str = ""


class StatAggregator:
    """Compute the rows of an aggregation.

    Args:
        definition: what is counted, and by what.
    """

    def __init__(self, definition: AggregationDefinition) -> None:
        self._definition = definition
        # Here, so that one that can't be imported is told of before anything is computed.
        self._modifiers = definition.modifiers
        # Two names for one metric are one metric for the store.
        metrics = definition.config.metrics
        self._asked_as = {
            name: next(other for other in metrics if metrics[other] == metric)
            for name, metric in metrics.items()
        }

    def rows(self, events: Snapshot, period: Period) -> Iterator[Row]:
        """Yield the rows of an interval, by dimensions ascending."""
        config = self._definition.config
        groups = events.groups(
            self.filter(period),
            config.aggregation_field,
            {name: config.metrics[name] for name in self._asked_as.values()},
            newest_by=NEWEST_BY if config.copy_fields else (),
        )
        for group in groups:
            values = {"count": group.count, **self._measured(group), **self._copied(group)}
            yield make_row(self._definition, group.key, period, values)

    def filter(self, period: Period) -> Filter:
        """Return which events count in an interval."""
        where = Filter().between("timestamp", period.start, period.end)
        where = where.where("withdrawn", exclude=[True])
        if self._definition.event.config.sliding_seconds:
            where = where.where("is_double_click", exclude=[True])
        for modifier in self._modifiers:
            where = modifier(where)
        # Only here, since nobody but a run should call them.
        self._definition.check_filter(where)
        return where

    def _measured(self, group: Group) -> dict[str, Any]:
        values = {}
        for name, asked in self._asked_as.items():
            values[name] = group.values[asked]
            if isinstance(self._definition.config.metrics[name], Unique):
                values[name], values[sketch_field(name)] = group.values[asked]
        return values

    def _copied(self, group: Group) -> dict[str, Any]:
        newest = group.newest or {}
        return {
            target: newest.get(source) if isinstance(source, str) else source(dict(newest))
            for target, source in self._definition.config.copy_fields.items()
        }


def make_row(
    definition: AggregationDefinition, key: tuple[Any, ...], period: Period, values: dict[str, Any]
) -> Row:
    """Return the row of an interval, in the form in which it is stored, so that it can be compared.

    A number that is too large for its field is the largest that this holds, and any other value
    that does not fit is left out: one row must not keep all others from being up to date.

    Args:
        definition: of the aggregation.
        key: the values of its dimensions.
        period: the interval.
        values: `count`, metrics and copied fields; None is left out.
    """
    start = format_time(period.start)
    body = {
        "timestamp": start,
        "start": start,
        "end": format_time(period.end),
        **values,
        **dict(zip(definition.config.aggregation_field, key, strict=True)),
    }
    types = definition.template.types
    row, unfit = {}, ""
    for name, value in body.items():
        if value is None:
            continue
        try:
            row[name] = one_form(types[name], value)
        except ValueError as error:
            nearest = nearest_number(types[name], value)
            if nearest is not None:
                row[name] = one_form(types[name], nearest)
            instead = "left out" if nearest is None else row[name]
            unfit = unfit or (
                f"{name} is {instead}, since a {types[name]} can't hold {str(value)[:LONGEST]!r}: "
                f"{error}"
            )
    return Row(key, row, unfit)
