"""A host of the aggregation tests: visits to pages, and whatever aggregations a test declares."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stats_pipeline.model import Event, Filter
from stats_pipeline.pipeline import Pipeline

NOON = datetime(2017, 1, 20, 12, tzinfo=UTC)

TEMPLATE = {
    "template": {
        "mappings": {
            "properties": {
                "page": {"type": "keyword"},
                "kind": {"type": "keyword"},
                "size": {"type": "long"},
                "score": {"type": "double"},
            }
        }
    }
}

#: No preprocessors: the tests say who visits and who is a robot.
VISIT = {"preprocessors": [], "double_click_window": 0}
DAILY = {"event": "visit", "aggregation_field": "page"}


def host_settings(
    folder: Path,
    *,
    aggregations: Mapping[str, Mapping[str, Any]] | None = None,
    aggregator_class: Any = None,
    queries: Mapping[str, Any] | None = None,
    **processor_config: Any,
) -> dict[str, Any]:
    """Return a host's settings: event type `visit`, these `aggregator_config`s and queries."""
    templates = folder / "templates"
    templates.mkdir(exist_ok=True)
    (templates / "visit.json").write_text(json.dumps(TEMPLATE))
    chosen_class = {"aggregator_class": aggregator_class} if aggregator_class else {}
    return {
        "STATS_EVENTS": {
            "visit": {"templates": str(templates), "processor_config": VISIT | processor_config}
        },
        "STATS_AGGREGATIONS": {
            name: {"aggregator_config": {**DAILY, **config}, **chosen_class}
            for name, config in (aggregations or {"pages-agg": DAILY}).items()
        },
        "STATS_QUERIES": queries or {},
    }


def visits(*rows: tuple[str, str], **fields: Any) -> list[Event]:
    """Return visits of (time, page), each with these fields."""
    return [{"timestamp": time, "page": page, **fields} for time, page in rows]


def take(pipeline: Pipeline, events: Sequence[Event]) -> None:
    """Publish and process events; none may become a dead letter."""
    pipeline.publish("visit", list(events))
    report = pipeline.process_events(["visit"])
    assert not report.error, report
    assert report.dead == 0, pipeline.dead_letters.list()


def update(pipeline: Pipeline, name: str = "pages-agg", **asked: Any) -> dict[str, Any]:
    """Update one aggregation, which must be complete, and return its report's counts."""
    report = pipeline.update([name], **asked)
    assert report.is_complete, report
    return counts(report.aggregations[name].as_dict())


def counts(report: Mapping[str, Any]) -> dict[str, int]:
    """Return those numbers of a report that are not 0."""
    names = ("created", "updated", "unchanged", "deleted")
    return {name: report[name] for name in names if report[name]}


def rows(pipeline: Pipeline, name: str = "pages-agg") -> list[dict[str, Any]]:
    """Return the rows that readers see, by start and page."""
    alias = pipeline.registries.aggregation(name).alias
    with pipeline.store.snapshot([alias]) as snapshot:
        return [dict(row.body) for row in snapshot.scan(Filter(), ["timestamp", "page"])]


def table(pipeline: Pipeline, name: str = "pages-agg", field: str = "count") -> dict[Any, Any]:
    """Return what readers see as (start without zeros, page) -> a field's value."""
    return {
        (row["start"].removesuffix(":00.000Z").removesuffix("T00:00"), row["page"]): row.get(field)
        for row in rows(pipeline, name)
    }
