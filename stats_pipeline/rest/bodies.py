"""Read the body of a POST; whatever it holds ends in calls or in an HTTP error."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from stats_pipeline.rest.running import Call

#: A call takes about 200 bytes; this is far more than `MOST_CALLS` of them need.
LARGEST_BODY_BYTES = 1024 * 1024

#: Each call is at least one search, and a request should end within seconds.
MOST_CALLS = 100

EXPECTED = 'expected {"<label>": {"stat": "<query name>", "params": {...}}, ...}'


def read_body() -> dict[str, Call]:
    """Return the calls by label; an empty object or null has none."""
    if not request.is_json:
        raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json")
    limit = request.max_content_length
    request.max_content_length = min(limit or LARGEST_BODY_BYTES, LARGEST_BODY_BYTES)
    body = _parse(request.get_data(cache=False))
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise BadRequest(f"Invalid Input: {EXPECTED}")
    if len(body) > MOST_CALLS:
        raise RequestEntityTooLarge(f"One request takes up to {MOST_CALLS} queries: {len(body)}")
    return {label: _read_call(label, raw) for label, raw in body.items()}


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise BadRequest("The body is nested too deeply") from None
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {str(error)[:200]}") from None


def _read_call(label: str, raw: Any) -> Call:
    where = f"Invalid Input in {label[:80]!r}"
    if not isinstance(raw, dict) or not {"stat"} <= raw.keys() <= {"stat", "params"}:
        raise BadRequest(f"{where}: {EXPECTED}")
    params = raw.get("params", {})
    if not isinstance(raw["stat"], str):
        raise BadRequest(f"{where}: 'stat' must be text, the name of a query")
    if not isinstance(params, dict):
        raise BadRequest(f"{where}: 'params' must be an object; leave it out for none")
    return Call(raw["stat"], params)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(n for n, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {twice[:80]!r} is there twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")
