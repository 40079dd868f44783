"""What is registered for crash reports: one event type, counted by build and by radio version.

Heartbeats and crashes are one event type, so that their counters are one row, which is written at
once: no row has the heartbeats of one run beside the crashes of another. What is named by path is
imported on use.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from stats_pipeline import Count, Filter, Min, Where
from stats_pipeline.contrib.crash_reports.identity import CRASH, HEARTBEAT

EVENT_TYPE = "device-report"

#: Short name, for names of aggregations and queries -> field of the events.
DIMENSIONS = {"build": "build_fingerprint", "radio": "radio_version"}

#: A day's rows are for histograms, those of all time for the tables of versions.
INTERVALS = ("day", "all")

#: What a device says of its restart when its software has probably crashed.
CRASH_REASONS = ("UNKNOWN", "keyboard power on")

#: ... and when its power was gone for a moment (sudden momentary power loss).
SMPL_REASONS = ("RTC alarm",)

_CRASHES = Filter().where("kind", include=[CRASH])

#: What is counted. Every report is in exactly one of them, also a crash without a reason.
COUNTERS: Mapping[str, Count] = {
    "heartbeats": Count(where=Where("kind", include=(HEARTBEAT,))),
    "prob_crashes": Count(where=_CRASHES.where("boot_reason", include=CRASH_REASONS)),
    "smpl": Count(where=_CRASHES.where("boot_reason", include=SMPL_REASONS)),
    "other": Count(where=_CRASHES.where("boot_reason", exclude=[*CRASH_REASONS, *SMPL_REASONS])),
}

#: Which builds crash is not for everybody's eyes.
PERMISSION = "stats_pipeline.permissions:authenticated"


def register_events() -> list[dict[str, Any]]:
    """Register the event type `device-report`, which a host publishes."""
    return [
        {
            "event_type": EVENT_TYPE,
            "templates": "stats_pipeline.es_templates.crash_reports",
            "processor_config": {
                "preprocessors": ["stats_pipeline.contrib.crash_reports.identity:identify_report"],
            },
        }
    ]


def register_aggregations() -> list[dict[str, Any]]:
    """Register the counters of each build and of each radio version, by day and of all time."""
    return [
        {
            "aggregation_name": _aggregation(short, interval),
            "aggregator_config": {
                "event": EVENT_TYPE,
                "aggregation_field": field,
                "aggregation_interval": interval,
                # There are few versions: a year of their days is one small index.
                "index_interval": "year",
                "metrics": {**COUNTERS, **_dates(interval)},
                # Devices are no robots.
                "query_modifiers": [],
            },
        }
        for (short, field), interval in product(DIMENSIONS.items(), INTERVALS)
    ]


def register_queries() -> list[dict[str, Any]]:
    """Register the tables of versions, and the counters over time."""
    return [
        query(short, field)
        for query, (short, field) in product((_versions, _histogram), DIMENSIONS.items())
    ]


def _aggregation(short: str, interval: str) -> str:
    return f"{EVENT_TYPE}-{short}-{interval}-agg"


def _dates(interval: str) -> dict[str, Min]:
    # The least of its days': so all time follows from days, and reports need not be kept for it.
    return {"first_seen": Min("timestamp")} if interval == "all" else {}


def _versions(short: str, field: str) -> dict[str, Any]:
    return {
        "query_name": f"{short}-versions",
        "query_class": "stats_pipeline.contrib.crash_reports.versions:VersionsQuery",
        "query_config": {
            "aggregation": _aggregation(short, "all"),
            "dimension": field,
            "counters": list(COUNTERS),
        },
        "permission": PERMISSION,
        "description": f"Each {short} version: heartbeats, crashes, first seen, released",
    }


def _histogram(short: str, field: str) -> dict[str, Any]:
    return {
        "query_name": f"{EVENT_TYPE}-{short}-histogram",
        "query_class": "stats_pipeline:DateHistogramQuery",
        "query_config": {
            "aggregation": _aggregation(short, "day"),
            "optional_filters": {field: field},
            "metric_fields": {name: ("sum", name) for name in COUNTERS},
        },
        "permission": PERMISSION,
        "description": f"Heartbeats and crashes over time, of all {short} versions or of some",
    }
