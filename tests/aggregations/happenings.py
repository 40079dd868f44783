"""What the histories of `everything` are made of: a host, events, and what rows say of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from stats_pipeline.clock import format_time
from stats_pipeline.metrics import Count, Max, Min, Sum
from stats_pipeline.model import Event, Where
from stats_pipeline.permissions import allow_everyone
from tests.aggregations.reference import AGGREGATIONS, WINDOW, people

METRICS = {
    "volume": Sum("size"),
    "smallest": Min("size"),
    "largest": Max("size"),
    "kinds": Count(where=Where("kind", include=["a"])),
}
PEOPLE = {"visitors": ("unique", "visitor_id"), **METRICS}

#: For `host_settings`.
OPTIONS: dict[str, Any] = {
    "aggregations": {
        name: {
            "aggregation_interval": interval,
            "index_interval": "year",
            "time_zone": zone,
            "copy_fields": {"last_kind": "kind"},
            "metrics": PEOPLE if name.startswith("people") else METRICS,
        }
        for name, (interval, _, zone) in AGGREGATIONS.items()
    },
    "queries": {
        "people-of-months": {
            "query_class": "stats_pipeline:DateHistogramQuery",
            "query_config": {
                "aggregation": "people-agg",
                "metric_fields": {"visitors": ("unique", "visitors")},
            },
            "permission": allow_everyone,
        }
    },
    "preprocessors": ["stats_pipeline.events.preprocessors:anonymize_user"],
    "salt_window": "month",
    "retention_days": 31,
}
SLIDING = {"double_click_rule": "sliding", "double_click_window": int(WINDOW.total_seconds())}

#: Around the ends of the days of all zones, so that windows reach over them.
TIMES = ["00:00:05", "10:00:00", "10:00:20", "18:29:50", "18:30:10", "22:59:50", "23:59:50"]
WHEN = st.tuples(
    st.sampled_from([0, 1, 2, 8, 9, 10, 20, 35, 60]),
    st.sampled_from(
        [timedelta(hours=int(t[:2]), minutes=int(t[3:5]), seconds=int(t[6:])) for t in TIMES]
    ),
)
WHAT = st.fixed_dictionaries(
    {
        "page": st.sampled_from("ab"),
        "kind": st.sampled_from("ab"),
        "size": st.sampled_from([1, 10, 100]),
        "is_robot": st.sampled_from([False, False, False, True]),
    }
)
USERS = st.sampled_from(["u", "u", "v", None])
NEW = st.lists(st.tuples(WHEN, USERS, WHAT), min_size=1, max_size=4)
NUMBERS = st.lists(st.integers(0, 99), min_size=1, max_size=4)
IMPORTS = st.sampled_from("abc")
SPANS = st.tuples(st.integers(0, 70), st.integers(0, 70))


def published(event: Event) -> Event:
    """Return an event as it is published."""
    stated = {**event, "timestamp": format_time(event["timestamp"])}
    return {name: value for name, value in stated.items() if value is not None}


def file_line(event: Event) -> bytes:
    """Return an event as a line of a file."""
    return json.dumps(published(event)).encode()


def row_of(events: Sequence[Event], *, has_people: bool) -> dict[str, Any]:
    """Return what the row of these events should say."""
    sizes = [event["size"] for event in events]
    return {
        "count": len(events),
        "volume": sum(sizes),
        "smallest": min(sizes),
        "largest": max(sizes),
        "kinds": sum(event["kind"] == "a" for event in events),
        "last_kind": events[-1]["kind"],
        **({"visitors": people(events)} if has_people else {}),
    }


def numbers_of(row: Event) -> Event:
    """Return what a row says."""
    names = ("count", "volume", "smallest", "largest", "kinds", "last_kind", "visitors")
    return {name: row[name] for name in names if name in row}
