"""Rows: what queries are told of the rows that they read, and whether there are any."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

from stats_pipeline.errors import StatsError
from stats_pipeline.model import Filter
from stats_pipeline.queries.reading import Rows
from stats_pipeline.registry import Registries
from stats_pipeline.registry.definitions import row_alias
from stats_pipeline.stores.protocol import Store


def declared_rows(
    registries: Registries, prefix: str, index: str | None, aggregation: str | None
) -> Rows:
    """Return what is declared of an alias's rows; of one that nobody declares, only its name.

    Args:
        registries: of the aggregations.
        prefix: stands before the name of the alias.
        index: the alias without the prefix, or
        aggregation: the aggregation's name.
    """
    if aggregation is None:
        aggregation = registries.aggregation_with_alias(str(index))
    if aggregation is None:
        return Rows(alias=f"{prefix}{index}")
    definition = registries.aggregation(aggregation)
    return Rows(
        alias=definition.alias,
        aggregation=aggregation,
        types=definition.template.types,
        interval=definition.config.aggregation_interval,
        zone=definition.config.time_zone,
        dimensions=definition.config.aggregation_field,
        metrics=definition.config.metrics,
        imported_index=definition.imported_index,
        salt_windows=definition.salt_windows,
    )


def row_fields(registries: Registries) -> set[str]:
    """Return the fields of all rows; an aggregation that is declared wrongly has none."""
    fields: set[str] = set()
    for name in registries.aggregation_items:
        with suppress(StatsError):
            fields |= registries.aggregation(name).template.types.keys()
    return fields


def has_rows(store: Store, prefix: str, aggregations: Collection[str]) -> bool:
    """Tell whether at least one of these aggregations has rows."""
    if not aggregations:
        return False
    with store.snapshot([f"{prefix}{row_alias(name)}" for name in aggregations]) as snapshot:
        return snapshot.count(Filter()) > 0


def unused(inactive: set[str], has_rows: Callable[[Collection[str]], bool]) -> set[str]:
    """Return which of the inactive aggregations have no rows: as a rule all, so ask that first.

    They are of packages that a host has installed, as ours, and does not use.
    """
    if not has_rows(inactive):
        return inactive
    return {name for name in inactive if not has_rows([name])}
