"""Heartbeats and crashes of devices, for each software build and each radio version."""

from stats_pipeline.contrib.crash_reports.registration import (
    register_aggregations,
    register_events,
    register_queries,
)

__all__ = ["register_aggregations", "register_events", "register_queries"]
