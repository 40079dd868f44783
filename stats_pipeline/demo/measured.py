"""Ask the pipeline what it counted: its reports, its stored events and its queries."""

from __future__ import annotations

from stats_pipeline.demo.numbers import Numbers
from stats_pipeline.demo.traffic import DOWNLOAD, VIEW
from stats_pipeline.model import Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.reports import TypeReport

#: Event type -> the query over time and the query by item.
QUERIES = {DOWNLOAD: ("downloads", "top-files"), VIEW: ("views", "top-records")}


def count_stored(pipeline: Pipeline, event_type: str) -> tuple[int, int]:
    """Return how many events of this type are stored, and how many of those are of robots."""
    alias = pipeline.registries.event_type(event_type).alias
    with pipeline.store.snapshot([alias]) as snapshot:
        return (
            snapshot.count(Filter()),
            snapshot.count(Filter().where("is_robot", include=[True])),
        )


def measure(pipeline: Pipeline, event_type: str, first: TypeReport, again: TypeReport) -> Numbers:
    """Return what the pipeline made of the events of one type.

    Args:
        pipeline: after its update.
        event_type: the type.
        first: the report on processing the clicks.
        again: the report on processing what was delivered once more.
    """
    stored, robots = count_stored(pipeline, event_type)
    over_time, by_item = QUERIES[event_type]
    return Numbers(
        sent=first.taken + again.taken,
        redelivered=again.duplicates,
        merged=first.taken - first.dropped - first.dead - stored,
        robots=robots,
        per_day={
            bucket["date"][:10]: int(bucket["value"])
            for bucket in pipeline.query(over_time)["buckets"]
        },
        per_item={
            bucket["key"]: int(bucket["value"]) for bucket in pipeline.query(by_item)["buckets"]
        },
    )
