"""What the doctor registers for a chain of its own, as a host would in its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EVENT_TYPE = "stats-doctor"
AGGREGATION = "stats-doctor-agg"
QUERY = "stats-doctor"

#: The template lies beside this file. Nothing is anonymised, so no key is made.
SETTINGS: Mapping[str, Any] = {
    "STATS_EVENTS": {
        EVENT_TYPE: {
            "templates": "stats_pipeline.pipeline.doctor",
            "processor_config": {
                "preprocessors": ["stats_pipeline.events.preprocessors:flag_robots"],
                "double_click_window": 0,
            },
            "replaces": True,
        }
    },
    "STATS_AGGREGATIONS": {
        AGGREGATION: {
            "aggregator_config": {"event": EVENT_TYPE, "aggregation_field": "test_id"},
            "replaces": True,
        }
    },
    "STATS_QUERIES": {
        QUERY: {
            "query_class": "stats_pipeline.queries:TotalsQuery",
            "query_config": {
                "aggregation": AGGREGATION,
                "required_filters": {"test_id": "test_id"},
            },
            "permission": "stats_pipeline.permissions:deny_all",
            "replaces": True,
        }
    },
}
