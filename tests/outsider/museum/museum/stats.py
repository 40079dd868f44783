"""What is counted, and what can be asked."""

from typing import Any

from stats_pipeline import DateHistogramQuery, TermsQuery
from stats_pipeline.events.preprocessors import anonymize_user, flag_robots
from stats_pipeline.events.user import add_user
from stats_pipeline.permissions import allow_everyone, authenticated

from .signals import exhibit_scanned, gate_entered
from .tickets import TicketUseQuery

Event = dict[str, Any]


def build_entry(
    event: Event, sender: Any, *, ticket: str, gate: str, price: float, at: str
) -> Event:
    """Make an event of a ticket at a gate; the visitor is who holds the ticket."""
    return {**event, "timestamp": at, "user_id": ticket, "gate": gate, "price": price}


def build_scan(event: Event, sender: Any, *, exhibit: str, seconds: int, at: str) -> Event:
    """Make an event of a telephone that was held to an exhibit."""
    return {**event, "timestamp": at, "exhibit_id": exhibit, "dwell_seconds": seconds}


def name_gate(event: Event) -> Event:
    """Say that an entry is about the gate."""
    return {**event, "unique_id": event["gate"]}


def name_exhibit(event: Event) -> Event:
    """Say that a scan is about the exhibit."""
    return {**event, "unique_id": event["exhibit_id"]}


def register_events() -> list[dict[str, Any]]:
    """Return the types of events."""
    return [
        {
            "event_type": "gate-entry",
            "templates": "museum.stats_templates",
            "signal": gate_entered,
            "event_builders": [build_entry],
            "processor_config": {"preprocessors": [anonymize_user, name_gate]},
        },
        {
            "event_type": "exhibit-scan",
            "templates": "museum.stats_templates",
            "signal": exhibit_scanned,
            "event_builders": [build_scan, add_user],
            "processor_config": {
                "preprocessors": [flag_robots, anonymize_user, name_exhibit],
                "double_click_window": 45,
                "double_click_rule": "sliding",
            },
        },
    ]


def register_aggregations() -> list[dict[str, Any]]:
    """Return what is summed up."""
    return [
        {
            "aggregation_name": "gate-day-agg",
            "aggregator_config": {
                "event": "gate-entry",
                "aggregation_field": "gate",
                "aggregation_interval": "day",
                "metrics": {
                    "visitors": ("unique", "visitor_id"),
                    "revenue": ("sum", "price"),
                },
            },
        },
        {
            "aggregation_name": "exhibit-hour-agg",
            "aggregator_config": {
                "event": "exhibit-scan",
                "aggregation_field": "exhibit_id",
                "aggregation_interval": "hour",
            },
        },
        {
            "aggregation_name": "exhibit-month-agg",
            "aggregator_config": {
                "event": "exhibit-scan",
                "aggregation_field": "exhibit_id",
                "aggregation_interval": "month",
                "time_zone": "Europe/Zurich",
                "metrics": {
                    "mean_dwell": ("mean", "dwell_seconds"),
                    "max_dwell": ("max", "dwell_seconds"),
                },
            },
        },
    ]


def register_queries() -> list[dict[str, Any]]:
    """Return what can be asked."""
    return [
        {
            "query_name": "gate-days",
            "description": "Entries, visitors and revenue of a gate by day",
            "query_class": DateHistogramQuery,
            "query_config": {
                "aggregation": "gate-day-agg",
                "required_filters": {"gate": "gate"},
                "metric_fields": {
                    "value": ("sum", "count"),
                    "visitors": ("sum", "visitors"),
                    "revenue": ("sum", "revenue"),
                },
            },
            "permission": allow_everyone,
        },
        {
            "query_name": "exhibit-hours",
            "description": "Scans of each exhibit between two hours",
            "query_class": TermsQuery,
            "query_config": {
                "aggregation": "exhibit-hour-agg",
                "aggregated_fields": ["exhibit_id"],
            },
            "permission": allow_everyone,
        },
        {
            "query_name": "exhibit-months",
            "description": "How long people stand before an exhibit, by month",
            "query_class": DateHistogramQuery,
            "query_config": {
                "aggregation": "exhibit-month-agg",
                "required_filters": {"exhibit": "exhibit_id"},
                "metric_fields": {"value": ("sum", "count"), "longest": ("max", "max_dwell")},
                # A month has one row of an exhibit, so the newest row is the row.
                "copy_fields": {"mean": "mean_dwell"},
            },
            "permission": allow_everyone,
        },
        {
            "query_name": "ticket-use",
            "description": "How many of the tickets that were sold have been used",
            "query_class": TicketUseQuery,
            "query_config": {"file": "tickets.db"},
            "permission": authenticated,
        },
    ]
