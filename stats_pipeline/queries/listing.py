"""Queries as others see them: which may be run, with which parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from stats_pipeline.errors import InvalidParameter
from stats_pipeline.queries.parameters import Parameter
from stats_pipeline.queries.reading import Rows
from stats_pipeline.queries.rows_query import RowsQuery
from stats_pipeline.registry import Registries
from stats_pipeline.registry.registered_query import RegisteredQuery
from stats_pipeline.text import get_logger

log = get_logger(__name__)


def permitted_queries(registries: Registries) -> Iterator[RegisteredQuery]:
    """Yield the queries that the current caller may run, by name, asked without parameters.

    One that can't be made, or whose permission fails without parameters, is left out and logged:
    it must not hide the others.
    """
    for name in sorted(registries.query_items):
        try:
            query = registries.query(name)
            if query.permits({}):
                query.instance  # noqa: B018 - made here, so that a broken one is left out
                yield query
        except Exception:
            log.exception("The query %r is left out of the list", name)


def describe(query: RegisteredQuery) -> dict[str, Any]:
    """Return ``{"name", "description", "parameters"}``.

    A stranger's class that describes no parameters is described by the signature of its `run`.
    """
    described = getattr(query.instance, "parameters", None)
    if described is None:
        takes = _taken_by(query.instance.run) or ()
        described = [_described(parameter) for parameter in takes if parameter.kind in _BY_KEYWORD]
    return {
        "name": query.name,
        "description": query.description,
        "parameters": list(described),
    }


def aggregations_read(
    query: RegisteredQuery, rows_of: Callable[[str | None, str | None], Rows]
) -> set[str]:
    """Return the aggregations whose rows it reads, as far as its class has a `check_rows`.

    Args:
        query: of any class.
        rows_of: returns what is declared of an index, or of an aggregation.
    """
    read: set[str] = set()

    def noted(index: str | None, aggregation: str | None) -> Rows:
        rows = rows_of(index, aggregation)
        read.update(filter(None, [rows.aggregation]))
        return rows

    check = getattr(query.instance, "check_rows", None)
    if callable(check):
        # What is wrong with it is for those to say who run it, and for the doctor.
        with suppress(Exception):
            check(noted)
    return read


def columns(query: RegisteredQuery) -> Sequence[str]:
    """Return the columns that a table of its answer has also where there is nothing to show."""
    return query.instance.columns if isinstance(query.instance, RowsQuery) else ()


def check_parameters(query: RegisteredQuery, params: Mapping[str, Any]) -> None:
    """Refuse, before anything is read, what the query would refuse anyway.

    A class may have a method ``check(params)``, as ours do; of others the signature of `run` says
    what they take.
    """
    check = getattr(query.instance, "check", None)
    if callable(check):
        check(params)
        return
    run = query.instance.run
    takes = _taken_by(run)
    own = _taken_by(getattr(run, "__func__", run))
    if takes is None or own is None:
        return
    # `self` of a method, which a parameter of that name would be given a second time.
    receiver = {p.name for p in own if p.kind in _BY_KEYWORD} - {p.name for p in takes}
    _check_signature(query.name, takes, receiver, params)


def _taken_by(run: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(run).parameters.values())
    except (TypeError, ValueError):  # no signature to be had, as for some built-in callables
        return None


def _described(parameter: inspect.Parameter) -> dict[str, Any]:
    """Return what a signature says of a parameter; which values it takes is not known."""
    is_required = parameter.default is parameter.empty
    return Parameter(parameter.name, "any", "", required=is_required).as_dict()


def _check_signature(
    name: str,
    takes: Sequence[inspect.Parameter],
    refused: Collection[str],
    params: Mapping[str, Any],
) -> None:
    named = [p for p in takes if p.kind in _BY_KEYWORD]
    known = {p.name for p in named}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in takes)
    for parameter in params:
        if parameter in refused or (parameter not in known and not takes_any):
            raise InvalidParameter(
                f"{name}: the parameter {parameter[:80]!r} is unknown; allowed: "
                f"{', '.join(sorted(known)) or ('any other' if takes_any else 'none')}",
                parameter=parameter[:80],
            )
    required = [p.name for p in named if p.default is p.empty]
    for parameter in required:
        if parameter not in params:
            raise InvalidParameter(
                f"{name}: the parameter {parameter!r} is missing; required: {', '.join(required)}",
                parameter=parameter,
            )


_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
