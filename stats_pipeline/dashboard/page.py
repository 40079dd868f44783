"""The page: choose a histogram, see it as bars and numbers, and the most frequent values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from flask import Response, make_response, render_template, request, url_for

from stats_pipeline.dashboard.chart import date_label, draw
from stats_pipeline.errors import DefinitionError, InvalidParameter, PermissionDenied, QueryError
from stats_pipeline.ext import current_stats
from stats_pipeline.queries import DateHistogramQuery, TermsQuery
from stats_pipeline.queries.listing import describe, permitted_queries
from stats_pipeline.registry.registries import RegisteredQuery

#: Chosen without being asked: the shortest interval that gives no more bars than these.
INTERVALS = ("day", "week", "month", "quarter", "year")
COMFORTABLE_BARS = 92

#: Narrower bars can't be told apart.
MOST_BARS = 800

MOST_RANKED = 10

#: Forms of the same numbers that the page leads to.
FORMS = ("json", "csv", "text")


@dataclass(frozen=True, slots=True)
class Ranking:
    """Be the most frequent values of a field: (value, number, percentage of the highest)."""

    title: str
    field: str
    rows: Sequence[tuple[str, float, float]]
    more: int


def show_dashboard() -> Response:
    """Answer with the page; what is wrong in the chosen values is said on it."""
    queries = list(permitted_queries(current_stats.registries))
    histograms = [q for q in queries if isinstance(q.instance, DateHistogramQuery)]
    chosen = _chosen(histograms)
    page: dict[str, Any] = {
        "histograms": [query.name for query in histograms],
        "chosen": describe(chosen) if chosen else None,
        "queries": [describe(query) for query in queries],
        "given": _given(),
        "notice": "",
        "answer": None,
    }
    status = 200
    if chosen is not None and not _missing(chosen, _given()):
        try:
            page |= _answered(chosen, queries)
        except InvalidParameter as error:
            page["notice"], status = str(error), 400
    return make_response(render_template("stats_pipeline/dashboard.html", **page), status)


def _answered(chosen: RegisteredQuery, queries: Sequence[RegisteredQuery]) -> dict[str, Any]:
    params = _params_of(chosen, _given())
    if not chosen.permits(params):
        raise PermissionDenied(chosen.name)
    answer = _histogram(chosen, params)
    buckets, interval = answer["buckets"], answer["interval"]
    config = chosen.instance.config
    rows = current_stats.rows(config.index, config.aggregation)
    value = next(metric for metric in config.metrics if metric.name == "value")
    adds_up = value.kind == "sum" and not value.adds_uniques(rows)
    if len(buckets) > MOST_BARS:
        raise InvalidParameter(
            f"{len(buckets)} bars are too many for a chart; choose a longer interval or fewer days",
            parameter="interval",
        )
    return {
        "answer": answer,
        "params": params,
        "chart": draw(buckets, interval, rows.zone) if buckets else None,
        "rows": [(date_label(b["date"], interval, rows.zone), b["value"] or 0.0) for b in buckets],
        # Who came in two intervals is no two visitors, and means are no sum either.
        "total": sum(bucket["value"] or 0.0 for bucket in buckets) if adds_up else None,
        "rankings": list(_rankings(queries, params)),
        "links": _links(chosen.name, {**params, "interval": interval}),
    }


def _histogram(query: RegisteredQuery, params: Mapping[str, Any]) -> dict[str, Any]:
    if "interval" in params:
        answer: dict[str, Any] = current_stats.query(query.name, **params)
        return answer
    answer = {}
    for interval in INTERVALS:
        try:
            answer = current_stats.query(query.name, **params, interval=interval)
        except InvalidParameter as error:
            # Rows longer than the interval, or far too many buckets: the next one may do. After
            # an answer: visitors can't be counted over so long a time, so that one it is.
            if error.parameter != "interval" or (interval == INTERVALS[-1] and not answer):
                raise
            continue
        if len(answer["buckets"]) <= COMFORTABLE_BARS:
            break
    return answer


def _links(name: str, params: Mapping[str, Any]) -> dict[str, str]:
    """Return form -> address of the same answer; a filter may have any name, `name` too."""
    address = url_for("stats.run_query", name=name)
    return {form: f"{address}?{urlencode({**params, 'format': form})}" for form in FORMS}


def _rankings(queries: Sequence[RegisteredQuery], params: Mapping[str, Any]) -> Iterator[Ranking]:
    for query in queries:
        instance = query.instance
        if not isinstance(instance, TermsQuery) or not instance.config.aggregated_fields:
            continue
        known = _params_of(query, params)
        if _missing(query, known) or not query.permits(known):
            continue
        try:
            answer = current_stats.query(query.name, **known)
        except (QueryError, DefinitionError):
            # A filter of that name takes other values there, there are far too many values, or the
            # query can't work.
            continue
        yield _ranking(query, answer)


def _ranking(query: RegisteredQuery, answer: Mapping[str, Any]) -> Ranking:
    buckets = answer["buckets"]
    top = [(str(b["key"]), b["value"] or 0.0) for b in buckets[:MOST_RANKED]]
    highest = max((value for _, value in top), default=0.0) or 1.0
    return Ranking(
        title=query.description or query.name,
        field=answer["field"],
        rows=[(key, value, round(max(0.0, value) / highest * 100, 1)) for key, value in top],
        more=max(0, len(buckets) - MOST_RANKED),
    )


def _chosen(histograms: Sequence[RegisteredQuery]) -> RegisteredQuery | None:
    given = _given()
    for query in histograms:
        if query.name == given.get("query"):
            return query
    answerable = [query for query in histograms if not _missing(query, given)]
    with_numbers = (query for query in answerable if _has_numbers(query))
    return next(chain(with_numbers, answerable, histograms), None)


def _has_numbers(query: RegisteredQuery) -> bool:
    """Tell whether anything was counted: what is shipped may not be used in this application."""
    try:
        return bool(current_stats.query(query.name)["buckets"])
    except (QueryError, DefinitionError):
        return False


def _given() -> dict[str, str]:
    """Return what the form sends, without the fields that were left empty."""
    return {name: value for name, value in request.args.items() if value.strip()}


def _params_of(query: RegisteredQuery, given: Mapping[str, Any]) -> dict[str, Any]:
    known = {parameter["name"] for parameter in describe(query)["parameters"]}
    return {name: value for name, value in given.items() if name in known}


def _missing(query: RegisteredQuery, given: Mapping[str, Any]) -> list[str]:
    return [
        parameter["name"]
        for parameter in describe(query)["parameters"]
        if parameter.get("required") and parameter["name"] not in given
    ]
