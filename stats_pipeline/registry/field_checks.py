"""Whether an aggregation fits to the fields of its event: they are there, and of a fitting type."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from stats_pipeline.errors import DefinitionError, nearest
from stats_pipeline.fields import FILTERABLE, GROUPABLE, NUMBERS, ORDERED, from_text, one_value
from stats_pipeline.metrics import First, Last, Max, Mean, Metric, Min, Sum, Unique
from stats_pipeline.model import Between, Where
from stats_pipeline.registry.config import AggregatorConfig


def check_fields(config: AggregatorConfig, types: Mapping[str, str], *, owner: str) -> None:
    """Refuse a field that the event's template lacks, or whose type does not fit.

    Args:
        config: of the aggregation.
        types: field -> type, of the event's template.
        owner: who declared it, for the error message.

    Raises:
        DefinitionError: naming the key or metric, and what is allowed.
    """
    for name in config.aggregation_field:
        _check_field(name, types, GROUPABLE, f"{owner}: aggregation_field", "can be grouped by")
    for target, source in config.copy_fields.items():
        if isinstance(source, str):
            _check_field(source, types, None, f"{owner}: copy_fields", "")
        elif not callable(source):
            raise DefinitionError(
                f"{owner}: copy_fields[{target!r}] is a field's name or a callable, not {source!r}"
            )
    for name, metric in config.metrics.items():
        _check_metric(metric, types, f"{owner}: the metric {name!r}")


def _check_metric(metric: Metric, types: Mapping[str, str], what: str) -> None:
    for clause in metric.filter.clauses:
        if isinstance(clause, Between):
            _check_field(clause.field, types, frozenset({"date"}), what, "has a time")
            _check_range(clause, what)
        else:
            _check_field(clause.field, types, FILTERABLE, what, "can be filtered by")
            _check_values(clause, types[clause.field], what)
    if isinstance(metric, Sum | Mean):
        _check_field(metric.field, types, NUMBERS, what, "is a number")
    elif isinstance(metric, Min | Max):
        _check_field(metric.field, types, ORDERED, what, "is a number or a date")
    elif isinstance(metric, Unique):
        _check_field(metric.field, types, GROUPABLE, what, "can be told apart exactly")
    elif isinstance(metric, First | Last):
        _check_field(metric.field, types, None, what, "")


def _check_field(
    name: Any, types: Mapping[str, str], allowed: frozenset[str] | None, what: str, needed: str
) -> None:
    if not isinstance(name, str) or name not in types:
        raise DefinitionError(
            f"{what}: the event's template has no field {name!r}{nearest(name, types)}"
        )
    if allowed is not None and types[name] not in allowed:
        raise DefinitionError(
            f"{what}: the field {name!r} has the type {types[name]}, but only one of "
            f"{', '.join(sorted(allowed))} {needed}"
        )


def _check_values(where: Where, field_type: str, what: str) -> None:
    """Refuse a value that the field never has: the stores would match nothing without a word."""
    for key, values in (("include", where.include), ("exclude", where.exclude)):
        for value in values or ():
            try:
                _check_value(field_type, value)
            except ValueError as error:
                raise DefinitionError(
                    f"{what}: {key} has {value!r}, which the field {where.field!r} of the type "
                    f"{field_type} can't have: {error}"
                ) from None


def _check_range(between: Between, what: str) -> None:
    if between.start is not None and between.end is not None and between.start >= between.end:
        raise DefinitionError(
            f"{what}: no {between.field!r} lies between {between.start} and {between.end}"
        )


def _check_value(field_type: str, value: Any) -> None:
    # Text that means nothing there stays text, of which the type says best why it can't be.
    with suppress(ValueError):
        value = from_text(field_type, value)
    one_value(field_type, value)
