"""Run what was asked: all permissions and parameters are checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import g

from stats_pipeline.errors import PermissionDenied
from stats_pipeline.ext import current_stats
from stats_pipeline.queries.listing import check_parameters

#: Where the label of the query under way is kept during a request, for error answers.
LABEL = "stats_pipeline_label"


@dataclass(frozen=True, slots=True)
class Call:
    """Be one query with its parameters."""

    stat: str
    params: Mapping[str, Any]


def run_all(calls: Mapping[str, Call]) -> dict[str, Any]:
    """Return label -> answer, or raise what is wrong with the first bad call; nothing partial.

    Raises:
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
    return {
        label: current_stats.query(call.stat, **call.params) for label, call in _labelled(calls)
    }


def _labelled(calls: Mapping[str, Call]) -> Any:
    for label, call in calls.items():
        setattr(g, LABEL, label)
        yield label, call
