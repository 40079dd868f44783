"""What hosts and packages have registered: event types, aggregations and queries.

Three independent registries, each filled through an entry-point group on first use and overridden
by the host's configuration. Nothing that a registration names by path is imported before its use.
"""

from stats_pipeline.registry.definitions import (
    EVENT_FIELDS,
    AggregationDefinition,
    EventDefinition,
)
from stats_pipeline.registry.registries import Registries

__all__ = ["EVENT_FIELDS", "AggregationDefinition", "EventDefinition", "Registries"]
