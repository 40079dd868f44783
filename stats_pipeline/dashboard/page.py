"""The page: choose a query, see it as bars or as a ranking, and the most frequent values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Response, make_response, render_template, request, url_for

from stats_pipeline.dashboard.chart import date_label, draw
from stats_pipeline.dashboard.choosing import (
    choose,
    is_histogram,
    is_ranking,
    missing,
    params_of,
    queries_in_use,
)
from stats_pipeline.dashboard.rankings import MOST_RANKED, rank, rankings
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.ext import current_stats
from stats_pipeline.queries.listing import describe
from stats_pipeline.registry.registered_query import RegisteredQuery

if TYPE_CHECKING:
    from stats_pipeline.rest.problems import Problem

#: Chosen without being asked: the shortest interval that gives no more bars than these.
INTERVALS = ("day", "week", "month", "quarter", "year")
COMFORTABLE_BARS = 92

#: Narrower bars can't be told apart.
MOST_BARS = 800

#: Forms of the same numbers that the page leads to.
FORMS = ("html", "json", "csv", "text")


def show_dashboard(explain: Callable[[Exception], Problem]) -> Response:
    """Answer with the page; whatever goes wrong is said on it.

    Args:
        explain: says what an error means to the caller.
    """
    given = {name: value for name, value in request.args.items() if value.strip()}
    page: dict[str, Any] = {
        "given": given,
        "active": current_stats.registries.active_event_types,
        "chosen": None,
        "problem": None,
    }
    answer_with: list[Any] = []
    try:
        queries = queries_in_use()
        page |= {
            "histograms": [query.name for query in filter(is_histogram, queries)],
            "ranked": [query.name for query in filter(is_ranking, queries)],
            "queries": [describe(query) for query in queries],
        }
        chosen = choose(queries, given)
        if chosen is not None:
            page |= {"chosen": describe(chosen), "missing": missing(chosen, given)}
            if not page["missing"]:
                page |= _answered(chosen, params_of(chosen, given))
        page["rankings"] = list(rankings([q for q in queries if q is not chosen], given))
    except Exception as error:  # noqa: BLE001 - a host's own query class may raise anything
        page["problem"] = explain(error)
        answer_with = [page["problem"].status.value, page["problem"].headers]
    return make_response(render_template("stats_pipeline/dashboard.html", **page), *answer_with)


def _answered(chosen: RegisteredQuery, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of the chosen query; of one of another kind, where its answer is.

    The answer itself may be anything, or cost whatever its class does.
    """
    if is_histogram(chosen):
        return {"params": params, **_bars(chosen, params)}
    links = {"params": params, "links": _links(chosen.name, params)}
    if not is_ranking(chosen):
        return links
    answer = current_stats.query(chosen.name, **params)
    ranking = rank(chosen, params, answer, most=MOST_RANKED) if answer["buckets"] else None
    return {**links, "answer": answer, "ranking": ranking, "total": answer["value"]}


def _bars(chosen: RegisteredQuery, params: Mapping[str, Any]) -> dict[str, Any]:
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
        "chart": draw(buckets, interval, rows.zone) if buckets else None,
        "rows": [(date_label(b["date"], interval, rows.zone), b["value"] or 0.0) for b in buckets],
        # Who came in two intervals is no two visitors, and means are no sum either.
        "total": sum(bucket["value"] or 0.0 for bucket in buckets) if adds_up else None,
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
