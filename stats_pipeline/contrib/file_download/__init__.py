"""Downloads of files: how often, by how many visitors, and how many bytes."""

from stats_pipeline.contrib.file_download.registration import (
    register_aggregations,
    register_events,
    register_queries,
)

__all__ = ["register_aggregations", "register_events", "register_queries"]
