"""Turn things that happen in a web application into statistics that people can trust.

Register event types, aggregations and queries through entry points, add ``StatsPipeline(app)``, and
ask ``current_stats.query(...)`` or ``POST /stats``. Everything here is loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stats_pipeline.aggregations import StatAggregator
    from stats_pipeline.events import EventsIndexer
    from stats_pipeline.ext import StatsPipeline, current_stats
    from stats_pipeline.metrics import Count, First, Last, Max, Mean, Min, Sum, Unique
    from stats_pipeline.model import Aggregation, Drop, EventType, Filter, Query, Where
    from stats_pipeline.queries import (
        DateHistogramQuery,
        ESDateHistogramQuery,
        ESTermsQuery,
        ESTotalsQuery,
        TermsQuery,
        TotalsQuery,
    )

__version__ = "0.1.0"

_HOMES = {
    # the app
    "StatsPipeline": "ext",
    "current_stats": "ext",
    # declarations
    "Aggregation": "model",
    "EventType": "model",
    "Query": "model",
    # what they name
    "DateHistogramQuery": "queries",
    "ESDateHistogramQuery": "queries",
    "ESTermsQuery": "queries",
    "ESTotalsQuery": "queries",
    "EventsIndexer": "events",
    "StatAggregator": "aggregations",
    "TermsQuery": "queries",
    "TotalsQuery": "queries",
    # preprocessors and modifiers
    "Drop": "model",
    "Filter": "model",
    "Where": "model",
    # metrics
    "Count": "metrics",
    "First": "metrics",
    "Last": "metrics",
    "Max": "metrics",
    "Mean": "metrics",
    "Min": "metrics",
    "Sum": "metrics",
    "Unique": "metrics",
}

__all__ = [
    "Aggregation",
    "Count",
    "DateHistogramQuery",
    "Drop",
    "ESDateHistogramQuery",
    "ESTermsQuery",
    "ESTotalsQuery",
    "EventType",
    "EventsIndexer",
    "Filter",
    "First",
    "Last",
    "Max",
    "Mean",
    "Min",
    "Query",
    "StatAggregator",
    "StatsPipeline",
    "Sum",
    "TermsQuery",
    "TotalsQuery",
    "Unique",
    "Where",
    "current_stats",
]


def __getattr__(name: str) -> Any:
    # An emitting web process needs neither Elasticsearch's client nor Celery; a registration that
    # imports `Where` should not load them.
    if name in _HOMES:
        return getattr(import_module(f"stats_pipeline.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'stats_pipeline' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
