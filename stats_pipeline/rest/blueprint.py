"""The routes, each a few lines: read the request, run queries, give the answer its form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed, RequestURITooLarge

from stats_pipeline.dashboard import create_dashboard
from stats_pipeline.ext import current_stats
from stats_pipeline.queries.listing import describe, permitted_queries
from stats_pipeline.queries.tables import QUERY_COLUMNS
from stats_pipeline.rest.bodies import read_body
from stats_pipeline.rest.forms import chosen_form, json_response
from stats_pipeline.rest.openapi import openapi_document
from stats_pipeline.rest.problems import explain, handle_problems
from stats_pipeline.rest.running import Call, columns_of, run_all

#: Chooses the form of an answer and is no query's parameter.
FORMAT = "format"

#: Of what follows the `?`. Servers in front of an app allow less, as a rule.
LONGEST_QUERY_STRING_BYTES = 65_536

#: The pages need their style sheet and their own form; nothing else is ever loaded.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'self'"
)


def create_blueprint() -> Blueprint:
    """Return the blueprint, to be registered under ``STATS_URL_PREFIX``."""
    blueprint = Blueprint("stats", __name__, template_folder="templates")
    _route(blueprint, "/", {"GET": list_queries, "POST": run_queries})
    _route(blueprint, "/openapi.json", {"GET": describe_api})
    _route(blueprint, "/<path:name>", {"GET": run_query})
    blueprint.register_blueprint(create_dashboard(explain))
    handle_problems(blueprint)
    blueprint.before_request(_refuse_long_address)
    blueprint.after_request(_guard)
    return blueprint


def list_queries() -> Response:
    """Answer which queries the caller may run, with their parameters."""
    form = chosen_form()
    queries = [describe(query) for query in permitted_queries(current_stats.registries)]
    return form({"queries": queries}, QUERY_COLUMNS)


def run_queries() -> Response:
    """Answer every labelled query of the body, or none of them."""
    form = chosen_form()
    calls = read_body()
    return form(run_all(calls), {label: columns_of(call) for label, call in calls.items()})


def run_query(name: str) -> Response:
    """Answer one query with the parameters of the URL; a repeated one is a list."""
    name = name.removesuffix("/")  # as everywhere, a slash at the end changes nothing
    form = chosen_form()
    params = {
        key: values if len(values) > 1 else values[0]
        for key, values in request.args.lists()
        if key != FORMAT
    }
    call = Call(name, params)
    return form(run_all({name: call})[name], columns_of(call))


def describe_api() -> Response:
    """Answer with the OpenAPI description of what the caller may run."""
    queries = [describe(query) for query in permitted_queries(current_stats.registries)]
    root = request.script_root + request.path.removesuffix("/openapi.json")
    return json_response(openapi_document(queries, server_url=root))


def _refuse_long_address() -> None:
    if len(request.query_string) > LONGEST_QUERY_STRING_BYTES:
        raise RequestURITooLarge(
            f"An address takes up to {LONGEST_QUERY_STRING_BYTES} bytes of parameters; POST takes "
            "more"
        )


def _guard(response: Response) -> Response:
    """Say what a browser may do with an answer; paths and agents in it come from strangers."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    return response


def _route(blueprint: Blueprint, rule: str, views: dict[str, Callable[..., Response]]) -> None:
    for method, view in views.items():
        blueprint.add_url_rule(
            rule,
            view.__name__,
            view,
            methods=[method],
            strict_slashes=False,
            provide_automatic_options=False,
        )
    # Flask answers a wrong method before it knows the blueprint, and so not with a problem.
    known = sorted({"OPTIONS", *views} | ({"HEAD"} if "GET" in views else set()))
    others = sorted({"OPTIONS", "GET", "POST", "PUT", "PATCH", "DELETE"} - views.keys())
    blueprint.add_url_rule(
        rule,
        f"other_methods_{next(iter(views.values())).__name__}",
        _other_methods(known),
        methods=others,
        strict_slashes=False,
    )


def _other_methods(known: Sequence[str]) -> Callable[..., Response]:
    def answer(**_path: str) -> Response:
        if request.method == "OPTIONS":
            return Response(status=204, headers={"Allow": ", ".join(known)})
        raise MethodNotAllowed(valid_methods=known)

    return answer
