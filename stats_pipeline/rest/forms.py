"""The forms of an answer: JSON, CSV, an HTML table, or plain text."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Protocol

from flask import Response, current_app, render_template, request
from werkzeug.exceptions import BadRequest, NotAcceptable

from stats_pipeline.queries.tables import Columns, Table, tabulate
from stats_pipeline.text import one_line


class Form(Protocol):
    """Give an answer a form; a table has these columns whatever is in the answer."""

    def __call__(self, answer: Any, columns: Columns, /) -> Response:
        """Return the response."""


#: What makes spreadsheets take a cell for a formula; paths and agents come from strangers.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def chosen_form() -> Form:
    """Return the form that the request asks for: by ``format=``, else by its Accept header."""
    name = request.args.get("format")
    if name is not None:
        if name not in FORMS:
            raise BadRequest(f"'format' must be one of {', '.join(FORMS)}, not {name[:80]!r}")
        return FORMS[name]
    accepted = request.accept_mimetypes
    media_type = accepted.best_match(MEDIA_TYPES) if accepted else next(iter(MEDIA_TYPES))
    if media_type is None:
        raise NotAcceptable(f"The answer comes as {', '.join(MEDIA_TYPES)}")
    return MEDIA_TYPES[media_type]


def json_response(answer: Any, _columns: Columns = ()) -> Response:
    """Return the answer as it is."""
    # A host's own class may hold what the app's JSON provider knows, as UUIDs; NaN is no JSON.
    text = current_app.json.dumps(answer, sort_keys=False, allow_nan=False)
    return _response(text + "\n", "application/json")


def csv_response(answer: Any, columns: Columns = ()) -> Response:
    """Return one line for each bucket, with the names of the columns first."""
    table = tabulate(answer, columns)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([_harmless(cell) for cell in row] for row in (table.columns, *table.rows))
    return _response(out.getvalue(), "text/csv")


def html_response(answer: Any, columns: Columns = ()) -> Response:
    """Return a page with one table."""
    text = render_template("stats_pipeline/table.html", table=tabulate(answer, columns))
    return _response(text, "text/html")


def text_response(answer: Any, columns: Columns = ()) -> Response:
    """Return aligned columns for people with a terminal."""
    return _response(aligned(tabulate(answer, columns)), "text/plain")


def aligned(table: Table) -> str:
    """Return the table as lines of text; what a terminal would obey is shown as an escape."""
    lines = [[one_line(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def _response(text: str, media_type: str) -> Response:
    # A lone surrogate of a host's own text can't be sent, and must not cost the answer.
    data = text.encode("utf-8", errors="backslashreplace")
    response = Response(data, mimetype=media_type)
    response.vary.add("Accept")
    return response


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


FORMS: Mapping[str, Form] = {
    "json": json_response,
    "csv": csv_response,
    "html": html_response,
    "text": text_response,
}

MEDIA_TYPES: Mapping[str, Form] = {
    "application/json": json_response,
    "text/csv": csv_response,
    "text/html": html_response,
    "text/plain": text_response,
}
