"""Errors as ``application/problem+json`` (RFC 9457), with the status that they mean.

`message` repeats `detail` under the name that clients of invenio-stats know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from stats_pipeline.errors import (
    InvalidParameter,
    PartialResult,
    PermissionDenied,
    QueryError,
    StoreUnavailable,
    UnknownQuery,
)
from stats_pipeline.permissions import current_identity
from stats_pipeline.rest.running import LABEL
from stats_pipeline.text import get_logger

log = get_logger(__name__)

#: Long enough for a store to elect a master, short enough for a person to wait.
RETRY_AFTER_SECONDS = 5

#: Of a label, in an answer that says what is wrong with it.
LONGEST_LABEL = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """Be what an error means to the caller.

    Attributes:
        status: of the answer.
        detail: a sentence without anything that the caller must not know.
        headers: of the answer, beside those of its form.
        more: what programs want to know.
    """

    status: HTTPStatus
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def handle_problems(blueprint: Blueprint) -> None:
    """Answer every error of the blueprint's views, and of views nested in it, with a problem."""
    blueprint.register_error_handler(Exception, _answer)


def explain(error: Exception) -> Problem:
    """Return what an error means to the caller; what only the operator may know is logged."""
    if isinstance(error, HTTPException):
        return _http_problem(error)
    status = _status_of(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s %s failed: %s", request.method, request.path, error, exc_info=error)
        return Problem(status, "The server failed to answer this; its log says why")
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning("No answer from the store: %s", error)
        detail = "The statistics can't be read now; try again in some seconds"
        return Problem(status, detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})
    more: dict[str, Any] = {}
    if isinstance(error, InvalidParameter) and error.parameter is not None:
        more["parameter"] = error.parameter
    if request.method == "POST" and LABEL in g:
        more["label"] = g.get(LABEL)[:LONGEST_LABEL]
    return Problem(status, _detail(error), more=more)


def _status_of(error: Exception) -> HTTPStatus:
    """Return the HTTP status that an error means."""
    if isinstance(error, UnknownQuery):
        # By GET the name is the address; in a body it is one of the things said there.
        is_address = request.method in ("GET", "HEAD")
        return HTTPStatus.NOT_FOUND if is_address else HTTPStatus.BAD_REQUEST
    if isinstance(error, PermissionDenied):
        is_known = current_identity() is not None
        return HTTPStatus.FORBIDDEN if is_known else HTTPStatus.UNAUTHORIZED
    if isinstance(error, QueryError):
        return HTTPStatus.BAD_REQUEST
    if isinstance(error, StoreUnavailable | PartialResult):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _detail(error: Exception) -> str:
    if isinstance(error, UnknownQuery):
        # Its own text names the nearest query, which may be one that the caller must not know of.
        return f"Unknown statistic {str(error.name)[:200]!r}; GET /stats/ lists those you may run"
    return str(error)


def _http_problem(error: HTTPException) -> Problem:
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {
        name: value
        for name, value in error.get_headers()
        if name.lower() not in ("content-type", "content-length")
    }
    return Problem(status, error.description or status.description, headers)


def _answer(error: Exception) -> Response:
    problem = explain(error)
    body = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
        "message": problem.detail,
        **problem.more,
    }
    return Response(
        json.dumps(body),
        problem.status.value,
        problem.headers,
        content_type="application/problem+json",
    )
