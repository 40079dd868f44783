"""Requests of a web server, imported from its access log."""

from stats_pipeline.contrib.access_log.registration import (
    register_aggregations,
    register_events,
    register_queries,
)

__all__ = ["register_aggregations", "register_events", "register_queries"]
