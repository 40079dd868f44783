"""Run what was asked: all permissions and parameters are checked before anything is read.

What one request may cost is bounded, since anybody may send it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import g
from werkzeug.exceptions import RequestEntityTooLarge

from stats_pipeline.errors import PermissionDenied
from stats_pipeline.ext import current_stats
from stats_pipeline.queries.listing import check_parameters, columns
from stats_pipeline.queries.reading import at_most

#: Where the label of the query under way is kept during a request, for error answers.
LABEL = "stats_pipeline_label"

#: In all answers to one request, at every level. A bucket takes about 500 bytes until it is sent.
MOST_BUCKETS = 100_000

#: After so long no further query of a request is begun.
MOST_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Call:
    """Be one query with its parameters."""

    stat: str
    params: Mapping[str, Any]


def run_all(calls: Mapping[str, Call]) -> dict[str, Any]:
    """Return label -> answer, or raise what is wrong with the first bad call; nothing partial.

    Raises:
        RequestEntityTooLarge: the queries give too many buckets, or take too long, together.
        UnknownQuery: nobody registered a query of that name.
        PermissionDenied: the caller may not run it with these parameters.
        InvalidParameter: naming the parameter.
    """
    queries = {}
    for label, call in _labelled(calls):
        queries[label] = current_stats.registries.query(call.stat)
    for label, call in _labelled(calls):
        if not queries[label].permits(call.params):
            raise PermissionDenied(call.stat)
    for label, call in _labelled(calls):
        check_parameters(queries[label], call.params)
    deadline = time.monotonic() + MOST_SECONDS
    answers: dict[str, Any] = {}
    buckets = 0
    for label, call in _labelled(calls):
        if time.monotonic() > deadline:
            raise RequestEntityTooLarge(
                f"{len(answers)} of {len(calls)} queries took {MOST_SECONDS} seconds: ask for "
                "fewer in one request"
            )
        # Of our own classes, before the memory is full of them.
        with at_most(MOST_BUCKETS - buckets):
            answers[label] = current_stats.query(call.stat, **call.params)
        buckets += _buckets(answers[label])
        if buckets > MOST_BUCKETS:
            raise RequestEntityTooLarge(
                f"One request gives up to {MOST_BUCKETS} buckets: ask for fewer queries in one "
                "request, a shorter range, or one value of a filter"
            )
    return answers


def columns_of(call: Call) -> Sequence[str]:
    """Return the columns that a table of the call's answer has, whatever is in it."""
    return columns(current_stats.registries.query(call.stat))


def _buckets(level: Any) -> int:
    buckets = level.get("buckets") if isinstance(level, Mapping) else None
    if not isinstance(buckets, list):
        return 0
    return len(buckets) + sum(map(_buckets, buckets))


def _labelled(calls: Mapping[str, Call]) -> Any:
    for label, call in calls.items():
        setattr(g, LABEL, label)
        yield label, call
