"""Views of records: how often, and by how many visitors."""

from stats_pipeline.contrib.record_view.registration import (
    register_aggregations,
    register_events,
    register_queries,
)

__all__ = ["register_aggregations", "register_events", "register_queries"]
