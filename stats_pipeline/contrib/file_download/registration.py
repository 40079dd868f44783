"""What is registered for downloads of files; everything is named by path and imported on use."""

from __future__ import annotations

from typing import Any

ALLOW_EVERYONE = "stats_pipeline.permissions:allow_everyone"


def register_events() -> list[dict[str, Any]]:
    """Register the event type `file-download`."""
    return [
        {
            "event_type": "file-download",
            "templates": "stats_pipeline.es_templates.file_download",
            "processor_config": {
                # The robots' agents must be seen before they are made anonymous.
                "preprocessors": [
                    "stats_pipeline.events.preprocessors:flag_robots",
                    "stats_pipeline.events.preprocessors:anonymize_user",
                    "stats_pipeline.events.preprocessors:build_file_unique_id",
                ],
            },
            "signal": "stats_pipeline.contrib.file_download.signals:file_downloaded",
            "event_builders": [
                "stats_pipeline.contrib.file_download.builders:build_file_download",
                "stats_pipeline.events.user:add_user",
            ],
        }
    ]


def register_aggregations() -> list[dict[str, Any]]:
    """Register the downloads of each file on each day."""
    return [
        {
            "aggregation_name": "file-download-agg",
            "aggregator_config": {
                "event": "file-download",
                "aggregation_field": "unique_id",
                "aggregation_interval": "day",
                "copy_fields": {
                    "file_key": "file_key",
                    "bucket_id": "bucket_id",
                    "file_id": "file_id",
                },
                "metrics": {
                    "unique_count": ("unique", "visitor_id"),
                    "volume": ("sum", "size"),
                },
            },
        }
    ]


def register_queries() -> list[dict[str, Any]]:
    """Register the downloads of one file over time, and of all files of a bucket."""
    return [
        {
            "query_name": "bucket-file-download-histogram",
            "query_class": "stats_pipeline:DateHistogramQuery",
            "query_config": {
                "aggregation": "file-download-agg",
                "copy_fields": {"bucket_id": "bucket_id", "file_key": "file_key"},
                "required_filters": {"bucket_id": "bucket_id", "file_key": "file_key"},
                "metric_fields": {"value": ("sum", "count")},
            },
            "permission": ALLOW_EVERYONE,
            "description": "Downloads of one file of a bucket over time",
        },
        {
            "query_name": "bucket-file-download-total",
            "query_class": "stats_pipeline:TermsQuery",
            "query_config": {
                "aggregation": "file-download-agg",
                "required_filters": {"bucket_id": "bucket_id"},
                "aggregated_fields": ["file_key"],
                "metric_fields": {"value": ("sum", "count"), "volume": ("sum", "volume")},
            },
            "permission": ALLOW_EVERYONE,
            "description": "Downloads of each file of a bucket, and the bytes sent",
        },
    ]
