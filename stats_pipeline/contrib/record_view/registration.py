"""What is registered for views of records; everything is named by path and imported on use."""

from __future__ import annotations

from typing import Any

ALLOW_EVERYONE = "stats_pipeline.permissions:allow_everyone"

#: A record is asked for by the identifier that the public knows; the parameters are named alike.
IDENTIFIER = {"pid_type": "pid_type", "pid_value": "pid_value"}


def register_events() -> list[dict[str, Any]]:
    """Register the event type `record-view`."""
    return [
        {
            "event_type": "record-view",
            "templates": "stats_pipeline.es_templates.record_view",
            "processor_config": {
                # The robots' agents must be seen before they are made anonymous.
                "preprocessors": [
                    "stats_pipeline.events.preprocessors:flag_robots",
                    "stats_pipeline.events.preprocessors:anonymize_user",
                    "stats_pipeline.events.preprocessors:build_record_unique_id",
                ],
            },
            "signal": "stats_pipeline.contrib.record_view.signals:record_viewed",
            "event_builders": [
                "stats_pipeline.contrib.record_view.builders:build_record_view",
                "stats_pipeline.events.user:add_user",
            ],
        }
    ]


def register_aggregations() -> list[dict[str, Any]]:
    """Register the views of each record on each day."""
    return [
        {
            "aggregation_name": "record-view-agg",
            "aggregator_config": {
                "event": "record-view",
                "aggregation_field": "unique_id",
                "aggregation_interval": "day",
                "copy_fields": {
                    "record_id": "record_id",
                    "pid_type": "pid_type",
                    "pid_value": "pid_value",
                },
                "metrics": {"unique_count": ("unique", "visitor_id")},
            },
        }
    ]


def register_queries() -> list[dict[str, Any]]:
    """Register the views of one record, over time and in total."""
    return [
        {
            "query_name": "record-view-histogram",
            "query_class": "stats_pipeline:DateHistogramQuery",
            "query_config": {
                "aggregation": "record-view-agg",
                "copy_fields": {"record_id": "record_id", **IDENTIFIER},
                "required_filters": IDENTIFIER,
                "metric_fields": {"value": ("sum", "count")},
            },
            "permission": ALLOW_EVERYONE,
            "description": "Views of one record over time",
        },
        {
            "query_name": "record-view-total",
            "query_class": "stats_pipeline:TotalsQuery",
            "query_config": {
                "aggregation": "record-view-agg",
                "required_filters": IDENTIFIER,
                "metric_fields": {"value": ("sum", "count")},
            },
            "permission": ALLOW_EVERYONE,
            "description": "Views of one record in total",
        },
    ]
