"""Which queries the page has, and which of them it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stats_pipeline.errors import PermissionDenied
from stats_pipeline.ext import current_stats
from stats_pipeline.queries import DateHistogramQuery, TermsQuery
from stats_pipeline.queries.listing import aggregations_read, describe, permitted_queries
from stats_pipeline.registry.registered_query import RegisteredQuery

#: The field of the form that says which query is meant.
QUERY = "query"


def queries_in_use() -> list[RegisteredQuery]:
    """Return the queries that the caller may run, without those of packages that nobody uses."""
    unused = current_stats.unused_aggregations()
    return [
        query
        for query in permitted_queries(current_stats.registries)
        if not (read := _aggregations_of(query)) or read - unused
    ]


def is_histogram(query: RegisteredQuery) -> bool:
    """Tell whether it has a bar for each interval."""
    return isinstance(query.instance, DateHistogramQuery)


def is_ranking(query: RegisteredQuery) -> bool:
    """Tell whether it has values to rank."""
    return isinstance(query.instance, TermsQuery) and bool(query.instance.config.aggregated_fields)


def choose(queries: Sequence[RegisteredQuery], given: Mapping[str, str]) -> RegisteredQuery | None:
    """Return the query that was asked for, else the first that has something to show.

    Args:
        queries: those to choose from.
        given: what the form sends.

    Raises:
        UnknownQuery: nobody registered the one that was asked for.
        PermissionDenied: the caller may not run it.
    """
    if QUERY in given:
        query = current_stats.registries.query(given[QUERY])
        if not query.permits(params_of(query, given)):
            raise PermissionDenied(query.name)
        return query
    return next(_by_use(queries, given), None)


def _by_use(
    queries: Sequence[RegisteredQuery], given: Mapping[str, str]
) -> Iterator[RegisteredQuery]:
    """Yield histograms, then rankings: those with numbers, those that lack only a field, the rest.

    What is shipped may not be used in this application, and an empty chart tells nobody anything.
    """
    drawn = [*filter(is_histogram, queries), *filter(is_ranking, queries)]
    complete = [query for query in drawn if not missing(query, given)]
    incomplete = [query for query in drawn if missing(query, given)]
    yield from (query for query in complete if _has_numbers(query, given))
    yield from filter(_has_rows, incomplete)
    yield from (*complete, *incomplete)


def _has_numbers(query: RegisteredQuery, given: Mapping[str, str]) -> bool:
    """Tell whether it has an answer with something in it, whatever the dates; one may not work."""
    required = missing(query, {})
    try:
        answer = current_stats.query(query.name, **{name: given[name] for name in required})
    except Exception:  # noqa: BLE001 - whoever chooses it by name is told, and the log as well
        return False
    return bool(answer["buckets"])


def _has_rows(query: RegisteredQuery) -> bool:
    return current_stats.has_rows(_aggregations_of(query))


def _aggregations_of(query: RegisteredQuery) -> set[str]:
    return aggregations_read(query, current_stats.declared_rows)


def params_of(query: RegisteredQuery, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the given values that are parameters of the query."""
    known = {parameter["name"] for parameter in describe(query)["parameters"]}
    return {name: value for name, value in given.items() if name in known}


def missing(query: RegisteredQuery, given: Mapping[str, Any]) -> list[str]:
    """Return the parameters that the query can't do without and that are not given."""
    return [
        parameter["name"]
        for parameter in describe(query)["parameters"]
        if parameter.get("required") and parameter["name"] not in given
    ]
