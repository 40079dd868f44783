"""The most frequent values of a field, as far as a page has room for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import url_for

from stats_pipeline.dashboard.choosing import QUERY, is_ranking, missing, params_of
from stats_pipeline.errors import DefinitionError, QueryError
from stats_pipeline.ext import current_stats
from stats_pipeline.registry.registered_query import RegisteredQuery
from stats_pipeline.text import get_logger

log = get_logger(__name__)

#: Of the query that was chosen; more are for other forms of the answer.
MOST_RANKED = 100

#: Of each of the others, which stand below it.
FEW_RANKED = 10


@dataclass(frozen=True, slots=True)
class Ranking:
    """Be the most frequent values of a field: (value, number, percentage of the highest).

    Its address is that of the page with more of them.
    """

    title: str
    address: str
    field: str
    rows: Sequence[tuple[str, float, float]]
    more: int


def rank(
    query: RegisteredQuery, params: Mapping[str, Any], answer: Mapping[str, Any], *, most: int
) -> Ranking:
    """Return the ranking that the query's answer is."""
    buckets = answer["buckets"]
    top = [(str(b["key"]), b["value"] or 0.0) for b in buckets[:most]]
    highest = max((value for _, value in top), default=0.0) or 1.0
    return Ranking(
        title=query.description or query.name,
        address=f"{url_for('stats.dashboard.page')}?{urlencode({**params, QUERY: query.name})}",
        field=answer["field"],
        rows=[(key, value, round(max(0.0, value) / highest * 100, 1)) for key, value in top],
        more=max(0, len(buckets) - most),
    )


def rankings(queries: Sequence[RegisteredQuery], given: Mapping[str, str]) -> Iterator[Ranking]:
    """Yield the rankings of these queries that the given values are enough for, if not empty."""
    for query in filter(is_ranking, queries):
        params = params_of(query, given)
        if missing(query, params):
            continue
        try:
            if not query.permits(params):
                continue
            answer = current_stats.query(query.name, **params)
        except (QueryError, DefinitionError):
            # A filter of that name takes other values there, there are far too many values, or the
            # query can't work.
            continue
        except Exception:
            log.exception("The query %r is left out of the dashboard", query.name)
            continue
        if answer["buckets"]:
            yield rank(query, params, answer, most=FEW_RANKED)
