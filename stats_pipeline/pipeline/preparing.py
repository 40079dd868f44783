"""Preparing: make what workers and readers need before they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stats_pipeline.urls import without_password

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline


def prepare(pipeline: Pipeline) -> dict[str, Any]:
    """Create the queues and install the templates; return their names."""
    registries = pipeline.registries
    events = [registries.event_type(name) for name in registries.active_event_types]
    aggregations = [registries.aggregation(name) for name in registries.aggregation_items]
    pipeline.queue.declare([definition.queue_name for definition in events])
    pipeline.dead_letters.prepare()
    templates = [definition.template for definition in events]
    templates += [definition.template for definition in aggregations]
    for template in templates:
        pipeline.store.put_template(template)
    return {
        "store": without_password(pipeline.store_url),
        "queue": without_password(pipeline.queue_url),
        "queues": [definition.queue_name for definition in events],
        "templates": [template.alias for template in templates],
    }
