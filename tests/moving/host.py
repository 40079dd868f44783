"""What tests of moving share: exports as lists of lines, imports of them, tables of rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stats_pipeline.pipeline import Pipeline
from stats_pipeline.pipeline.moving.importing import ImportReport
from tests.aggregations.host import rows, update

METRICS = {
    "visitors": ("unique", "visitor_id"),
    "volume": ("sum", "size"),
}


def export(pipeline: Pipeline, event_type: str = "visit", **asked: Any) -> list[bytes]:
    """Return the lines of an export."""
    return list(pipeline.moving.export(event_type, **asked))


def bring(
    pipeline: Pipeline, lines: Iterable[bytes], import_id: str = "a", event_type: str | None = None
) -> ImportReport:
    """Import these lines."""
    numbered = list(enumerate((line.rstrip(b"\n") for line in lines), start=1))
    return pipeline.moving.importing(import_id, event_type).take("lines", numbered)


def totals(pipeline: Pipeline, name: str = "pages-agg") -> list[dict[str, Any]]:
    """Bring an aggregation up to date and return its rows."""
    update(pipeline, name)
    return rows(pipeline, name)
