"""Plans: what stands for all that decides what is in the rows of an aggregation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from stats_pipeline.registry import AggregationDefinition


def plan_of(definition: AggregationDefinition, fixed_values: Mapping[str, Any]) -> str:
    """Return what stands for all that decides what is in the rows.

    Args:
        definition: of the aggregation.
        fixed_values: what of its rows can't change.
    """
    # Of a class only the name is known, so another one is begun anew, but no reason to refuse.
    aggregator = _name_of(definition.aggregator_class)
    parts = {**fixed_values, **contents_of(definition), "aggregator_class": aggregator}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def contents_of(definition: AggregationDefinition) -> dict[str, Any]:
    """Return what decides which values a row has; after a change, old rows would not fit to new."""
    config = definition.config
    return {
        "query_modifiers": [_name_of(modifier) for modifier in definition.modifiers],
        "copy_fields": {target: _name_of(source) for target, source in config.copy_fields.items()},
        "metrics": {name: repr(metric) for name, metric in config.metrics.items()},
    }


def _name_of(thing: Any) -> str:
    """Return a name that is the same in every process: a text itself, or where code comes from."""
    if isinstance(thing, str):
        return thing
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}:{named.__qualname__}"
