"""What is registered for access logs; everything is named by path and imported on use."""

from __future__ import annotations

from typing import Any

ALLOW_EVERYONE = "stats_pipeline.permissions:allow_everyone"


def register_events() -> list[dict[str, Any]]:
    """Register the event type `access-log`, which `stats events import-log` publishes."""
    return [
        {
            "event_type": "access-log",
            "templates": "stats_pipeline.es_templates.access_log",
            "processor_config": {
                # The robots' agents must be seen before they are made anonymous.
                "preprocessors": [
                    "stats_pipeline.events.preprocessors:flag_robots",
                    "stats_pipeline.events.preprocessors:anonymize_user",
                ],
            },
        }
    ]


def register_aggregations() -> list[dict[str, Any]]:
    """Register the requests of each path on each day."""
    return [
        {
            "aggregation_name": "access-log-agg",
            "aggregator_config": {
                "event": "access-log",
                "aggregation_field": "path",
                "aggregation_interval": "day",
                "metrics": {
                    "unique_count": ("unique", "visitor_id"),
                    "volume": ("sum", "size"),
                },
            },
        }
    ]


def register_queries() -> list[dict[str, Any]]:
    """Register the requests over time, and of each path."""
    metric_fields = {"value": ("sum", "count"), "volume": ("sum", "volume")}
    return [
        {
            "query_name": "access-log-histogram",
            "query_class": "stats_pipeline:DateHistogramQuery",
            "query_config": {
                "aggregation": "access-log-agg",
                "optional_filters": {"path": "path"},
                "metric_fields": metric_fields,
            },
            "permission": ALLOW_EVERYONE,
            "description": "Requests over time, of all paths or of some, and the bytes sent",
        },
        {
            "query_name": "access-log-terms",
            "query_class": "stats_pipeline:TermsQuery",
            "query_config": {
                "aggregation": "access-log-agg",
                "optional_filters": {"path": "path"},
                "aggregated_fields": ["path"],
                "metric_fields": metric_fields,
            },
            "permission": ALLOW_EVERYONE,
            "description": "Requests of each path, and the bytes sent",
        },
    ]
