"""Errors as ``application/problem+json`` (RFC 9457), with the status that they mean.

`message` repeats `detail` under the name that clients of invenio-stats know.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from stats_pipeline.errors import (
    InvalidParameter,
    PartialResult,
    PermissionDenied,
    QueryError,
    StatsError,
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


def handle_problems(blueprint: Blueprint) -> None:
    """Answer every error of the blueprint's views, and of views nested in it, with a problem."""
    blueprint.register_error_handler(HTTPException, _http_problem)
    blueprint.register_error_handler(StatsError, _stats_problem)
    blueprint.register_error_handler(Exception, _unexpected_problem)


def _status_of(error: StatsError) -> HTTPStatus:
    """Return the HTTP status that an error of ours means."""
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


def _stats_problem(error: StatsError) -> Response:
    status = _status_of(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unexpected_problem(error)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning("No answer from the store: %s", error)
        response = _problem(status, "The statistics can't be read now; try again in some seconds")
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    more: dict[str, Any] = {}
    if isinstance(error, InvalidParameter) and error.parameter is not None:
        more["parameter"] = error.parameter
    if request.method == "POST" and LABEL in g:
        more["label"] = g.get(LABEL)[:LONGEST_LABEL]
    return _problem(status, _detail(error), more)


def _detail(error: StatsError) -> str:
    if isinstance(error, UnknownQuery):
        # Its own text names the nearest query, which may be one that the caller must not know of.
        return f"Unknown statistic {str(error.name)[:200]!r}; GET /stats/ lists those you may run"
    return str(error)


def _http_problem(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    response = _problem(status, error.description or status.description)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _unexpected_problem(error: Exception) -> Response:
    log.error("%s %s failed: %s", request.method, request.path, error, exc_info=error)
    return _problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed to answer this; its log says why"
    )


def _problem(status: HTTPStatus, detail: str, more: dict[str, Any] | None = None) -> Response:
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "message": detail,
        **(more or {}),
    }
    return Response(json.dumps(body), status.value, content_type="application/problem+json")
