"""The OpenAPI 3.1 description of the API, as the caller may use it. Pure: no I/O, no Flask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from stats_pipeline import __version__

MEDIA_TYPES = ("application/json", "text/csv", "text/html", "text/plain")

#: Status -> when it comes; what all calls have in common.
PROBLEMS = {
    "400": "Something is wrong in the request; `detail` says what, and what is allowed.",
    "401": "Nobody is logged in, and this needs somebody.",
    "403": "The caller may not run this with these parameters.",
    "406": "None of the media types in Accept can be given.",
    "503": "The store does not answer now; `Retry-After` says when to try again.",
}
POST_PROBLEMS = {
    **PROBLEMS,
    "413": "The body, the number of queries in it, or the answer is too large.",
    "415": "The body is not declared as JSON.",
}
GET_PROBLEMS = {
    **PROBLEMS,
    "404": "There is no query of this name.",
    "413": "The answer is too large.",
    "414": "The parameters are too long.",
}

FORMAT = {
    "name": "format",
    "in": "query",
    "description": "The form of the answer; takes precedence over Accept.",
    "schema": {"enum": ["json", "csv", "html", "text"]},
}
CALLS = {
    "type": "object",
    "maxProperties": 100,
    "additionalProperties": {
        "type": "object",
        "required": ["stat"],
        "additionalProperties": False,
        "properties": {"stat": {"type": "string"}, "params": {"type": "object"}},
    },
}
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "message"],
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail", "message")},
        "status": {"type": "integer"},
        "parameter": {"type": "string", "description": "The parameter that is wrong."},
        "label": {"type": "string", "description": "The query of the body that is wrong."},
    },
}
#: What answers of the classes that come with us have in common; a host's own may differ.
ANSWER = {
    "properties": {
        "as_of": {
            "type": ["string", "null"],
            "description": "The start of the last complete update, null where there was none.",
        },
        "imported": {
            "type": "object",
            "description": "How much of `value` was counted elsewhere and imported, by source, "
            "null where that can't be told; buckets have it, too. Without it, all was counted "
            "here.",
            "additionalProperties": {"type": ["number", "null"]},
        },
        "approximate": {
            "type": "object",
            "description": "The numbers that may be off, by name; without it all are exact.",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "bound": {
                        "type": "number",
                        "description": "By how much at most, as a ratio of the true number.",
                    },
                    "reason": {"type": "string"},
                },
                "required": ["bound"],
            },
        },
    },
}
QUERY_LIST = {
    "type": "object",
    "required": ["queries"],
    "properties": {
        "queries": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "description", "parameters"],
                "properties": {
                    "name": {"type": "string"},
                    "description": {"type": "string"},
                    "parameters": {"type": "array", "items": {"type": "object"}},
                },
            },
        }
    },
}

LABELLED = {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Answer"}}

#: Type of a parameter -> JSON Schema.
SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "date": {"type": "string", "examples": ["2016-12-18", "2016-12-18T10:00:00Z"]},
    "boolean": {"type": "boolean"},
    "text": {"type": "string"},
    "whole number": {"type": "integer", "minimum": 1},
    "value or list of values": {"type": "array", "items": {"type": "string"}},
}


def openapi_document(queries: Sequence[Mapping[str, Any]], *, server_url: str) -> dict[str, Any]:
    """Return the document; `queries` are descriptions as in the list of queries."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Statistics", "version": __version__},
        "servers": [{"url": server_url}],
        "paths": {
            "/": {"get": _list_operation(), "post": _post_operation()},
            **{f"/{quote(q['name'], safe='')}": {"get": _query_operation(q)} for q in queries},
        },
        "components": {
            "schemas": {
                "Answer": ANSWER,
                "Calls": CALLS,
                "Problem": PROBLEM,
                "QueryList": QUERY_LIST,
            }
        },
    }


def _list_operation() -> dict[str, Any]:
    return {
        "operationId": "list_queries",
        "summary": "List the queries that the caller may run.",
        "parameters": [FORMAT],
        "responses": _responses({"$ref": "#/components/schemas/QueryList"}, PROBLEMS),
    }


def _post_operation() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Calls"}
    return {
        "operationId": "run_queries",
        "summary": "Run several queries; the answer has the same labels.",
        "parameters": [FORMAT],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": _responses(LABELLED, POST_PROBLEMS),
    }


def _query_operation(query: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [_parameter(p) for p in query["parameters"] if isinstance(p, Mapping)]
    return {
        "operationId": f"run_{query['name']}",
        "summary": query["description"] or f"Run {query['name']}.",
        "parameters": [*parameters, FORMAT],
        "responses": _responses({"$ref": "#/components/schemas/Answer"}, GET_PROBLEMS),
    }


def _parameter(described: Mapping[str, Any]) -> dict[str, Any]:
    schema = dict(SCHEMAS.get(str(described.get("type")), {}))
    if described.get("allowed") and schema.get("type") != "boolean":
        schema["enum"] = list(described["allowed"])
    return {
        "name": str(described.get("name")),
        "in": "query",
        "description": str(described.get("description", "")),
        "required": bool(described.get("required")),
        "schema": schema,
    }


def _responses(schema: Mapping[str, Any], problems: Mapping[str, str]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    tables: dict[str, Any] = {media_type: {} for media_type in MEDIA_TYPES[1:]}
    return {
        "200": {
            "description": "The answer.",
            "content": {MEDIA_TYPES[0]: {"schema": schema}, **tables},
        },
        **{status: {"description": text, "content": problem} for status, text in problems.items()},
    }
