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
    config = definition.config
    parts = [
        fixed_values,
        _name_of(definition.aggregator_class),
        [_name_of(modifier) for modifier in definition.modifiers],
        {target: _name_of(source) for target, source in config.copy_fields.items()},
        {name: repr(metric) for name, metric in config.metrics.items()},
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _name_of(thing: Any) -> str:
    """Return a name that is the same in every process: a text itself, or where code comes from."""
    if isinstance(thing, str):
        return thing
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}:{named.__qualname__}"
