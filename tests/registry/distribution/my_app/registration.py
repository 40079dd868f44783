"""The registration example of DESIGN.md 3.2, as it stands there."""

# ruff: noqa: C408 - the example is written with dict()

from typing import Any

from stats_pipeline import DateHistogramQuery, EventsIndexer, StatAggregator
from stats_pipeline.aggregations import exclude_robots
from stats_pipeline.events.preprocessors import (
    anonymize_user,
    build_file_unique_id,
    flag_robots,
)
from stats_pipeline.permissions import allow_everyone


def register_events() -> list[dict[str, Any]]:
    """Register the event type."""
    return [
        dict(
            event_type="file-download",
            templates="my_app.stats.templates",
            processor_class=EventsIndexer,
            processor_config=dict(
                preprocessors=[flag_robots, anonymize_user, build_file_unique_id],
                double_click_window=10,
                double_click_rule="fixed",
                salt_window="day",
                index_interval="month",
                retention_days=None,
                keep_agent=False,
            ),
        )
    ]


def register_aggregations() -> list[dict[str, Any]]:
    """Register the aggregation."""
    return [
        dict(
            aggregation_name="file-download-agg",
            templates="my_app.stats.aggregation_templates",
            aggregator_class=StatAggregator,
            aggregator_config=dict(
                event="file-download",
                aggregation_field="unique_id",
                aggregation_interval="day",
                index_interval="month",
                time_zone="UTC",
                copy_fields={"file_key": "file_key", "bucket_id": "bucket_id"},
                metrics={"unique_count": ("unique", "visitor_id"), "volume": ("sum", "size")},
                query_modifiers=[exclude_robots],
            ),
        )
    ]


def register_queries() -> list[dict[str, Any]]:
    """Register the query."""
    return [
        dict(
            query_name="bucket-file-download-histogram",
            query_class=DateHistogramQuery,
            query_config=dict(
                index="stats-file-download",
                copy_fields={"bucket_id": "bucket_id", "file_key": "file_key"},
                required_filters={"bucket_id": "bucket_id", "file_key": "file_key"},
                optional_filters={},
                aggregated_fields=[],
                metric_fields={"value": ("sum", "count")},
            ),
            permission=allow_everyone,
        )
    ]
