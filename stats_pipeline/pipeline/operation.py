"""What operators ask of a pipeline: prepare everything, and how is it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stats_pipeline.clock import format_time
from stats_pipeline.errors import StatsError, StoreError
from stats_pipeline.settings import without_password

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


def describe(pipeline: Pipeline) -> dict[str, Any]:
    """Return the state of store, queue, event types and aggregations, as JSON values."""
    registries = pipeline.registries
    return {
        "store": pipeline.store.check(),
        "queue": pipeline.queue.check(),
        "spooled_messages": pipeline.publisher.spooled(),
        "dead_letters": pipeline.dead_letters.count(),
        "events": {
            name: {"waiting_messages": _waiting(pipeline, registries.event_type(name).queue_name)}
            for name in registries.active_event_types
        },
        "aggregations": {
            name: _aggregation(pipeline, name) for name in sorted(registries.aggregation_items)
        },
    }


def _waiting(pipeline: Pipeline, queue_name: str) -> int:
    return pipeline.queue.depth(queue_name) if pipeline.queue.exists(queue_name) else 0


def _aggregation(pipeline: Pipeline, name: str) -> dict[str, Any]:
    try:
        updating = pipeline.updating(pipeline.registries.aggregation(name))
        as_of = updating.as_of()
        return {
            "dirty_intervals": updating.dirty(),
            "as_of": None if as_of is None else format_time(as_of),
        }
    except StoreError:
        raise
    except StatsError as error:  # one wrong registration: the others still have a state
        return {"error": str(error)}
