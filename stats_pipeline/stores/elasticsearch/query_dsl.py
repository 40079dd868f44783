"""Filters in Elasticsearch's words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stats_pipeline.clock import format_time
from stats_pipeline.fields import FIELD_TYPES, from_text
from stats_pipeline.model import Between, Filter, Where

Query = dict[str, Any]


def to_query(where: Filter, types: Mapping[str, str]) -> Query:
    """Return the query that keeps what the filter keeps.

    Args:
        where: the filter.
        types: field name -> field type, as in the mapping.
    """
    kept: list[Query] = []
    left_out: list[Query] = []
    for clause in where.clauses:
        if isinstance(clause, Between):
            kept.append(_range(clause))
        else:
            kept.extend(_terms(clause, clause.include, types))
            left_out.extend(_terms(clause, clause.exclude, types))
    return {"bool": {"filter": kept, "must_not": left_out}}


def _range(clause: Between) -> Query:
    bounds = {}
    if clause.start is not None:
        bounds["gte"] = format_time(clause.start)
    if clause.end is not None:
        bounds["lt"] = format_time(clause.end)
    if not bounds:
        return {"exists": {"field": clause.field}}
    return {"range": {clause.field: bounds}}


def _terms(clause: Where, values: Sequence[Any] | None, types: Mapping[str, str]) -> list[Query]:
    if not values:
        return []
    possible = list(_possible(types.get(clause.field, "keyword"), values))
    return [{"terms": {clause.field: possible}}]


def _possible(field_type: str, values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        try:
            yield FIELD_TYPES[field_type](from_text(field_type, value))
        except ValueError:
            # No document can have this value, and Elasticsearch would refuse the whole query.
            continue
