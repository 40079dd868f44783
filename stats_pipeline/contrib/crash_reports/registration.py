"""What is registered for crash reports: two event types, each counted by build and by radio.

What is named by path is imported on use.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from stats_pipeline import Count, Min, Where

#: Short name, for names of aggregations and queries -> field of the events.
DIMENSIONS = {"build": "build_fingerprint", "radio": "radio_version"}

#: A day's rows are for histograms, those of all time for the tables of versions.
INTERVALS = ("day", "all")

#: What a device says of its restart when its software has probably crashed.
CRASH_REASONS = ("UNKNOWN", "keyboard power on")

#: ... and when its power was gone for a moment (sudden momentary power loss).
SMPL_REASONS = ("RTC alarm",)

#: Event type -> what is counted of it. Every crash report is in one of its three counters, also
#: one without a reason.
COUNTERS: Mapping[str, Mapping[str, Count]] = {
    "heartbeat": {"heartbeats": Count()},
    "crash-report": {
        "prob_crashes": Count(where=Where("boot_reason", include=CRASH_REASONS)),
        "smpl": Count(where=Where("boot_reason", include=SMPL_REASONS)),
        "other": Count(where=Where("boot_reason", exclude=[*CRASH_REASONS, *SMPL_REASONS])),
    },
}

#: Which builds crash is not for everybody's eyes.
PERMISSION = "stats_pipeline.permissions:authenticated"


def register_events() -> list[dict[str, Any]]:
    """Register the event types `heartbeat` and `crash-report`, which a host publishes."""
    return [
        {
            "event_type": event_type,
            "templates": "stats_pipeline.es_templates.crash_reports",
            "processor_config": {
                "preprocessors": ["stats_pipeline.contrib.crash_reports.identity:identify_report"],
            },
        }
        for event_type in COUNTERS
    ]


def register_aggregations() -> list[dict[str, Any]]:
    """Register the counters of each build and of each radio version, by day and of all time."""
    return [
        {
            "aggregation_name": f"{event_type}-{short}-{interval}-agg",
            "aggregator_config": {
                "event": event_type,
                "aggregation_field": DIMENSIONS[short],
                "aggregation_interval": interval,
                # There are few versions: a year of their days is one small index.
                "index_interval": "year",
                "metrics": {**counters, **_dates(interval)},
                # Devices are no robots.
                "query_modifiers": [],
                # To readers, both event types are columns of one table.
                "report_as": f"{short}-{interval}",
            },
        }
        for (event_type, counters), short, interval in product(
            COUNTERS.items(), DIMENSIONS, INTERVALS
        )
    ]


def register_queries() -> list[dict[str, Any]]:
    """Register the tables of versions, and the counters of each event type over time."""
    return [*map(_versions, DIMENSIONS), *(_histogram(*of) for of in product(COUNTERS, DIMENSIONS))]


def _dates(interval: str) -> dict[str, Min]:
    # The least of its days': so all time follows from days, and reports need not be kept for it.
    return {"first_seen": Min("timestamp")} if interval == "all" else {}


def _versions(short: str) -> dict[str, Any]:
    return {
        "query_name": f"{short}-versions",
        "query_class": "stats_pipeline.contrib.crash_reports.versions:VersionsQuery",
        "query_config": {
            "dimension": DIMENSIONS[short],
            "counters": {
                f"{event_type}-{short}-all-agg": list(counters)
                for event_type, counters in COUNTERS.items()
            },
        },
        "permission": PERMISSION,
        "description": f"Each {short} version: heartbeats, crashes, first seen, released",
    }


def _histogram(event_type: str, short: str) -> dict[str, Any]:
    dimension, counters = DIMENSIONS[short], COUNTERS[event_type]
    return {
        "query_name": f"{event_type}-{short}-histogram",
        "query_class": "stats_pipeline:DateHistogramQuery",
        "query_config": {
            "aggregation": f"{event_type}-{short}-day-agg",
            "optional_filters": {dimension: dimension},
            "metric_fields": {name: ("sum", name) for name in counters},
        },
        "permission": PERMISSION,
        "description": f"{', '.join(counters)} over time, of all {short} versions or of some",
    }
