"""What operators ask of a pipeline: prepare everything, and how is it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stats_pipeline.clock import format_time
from stats_pipeline.errors import StatsError, StoreError
from stats_pipeline.events.messages import decode
from stats_pipeline.intervals import DAY
from stats_pipeline.model import Filter
from stats_pipeline.registry import EventDefinition
from stats_pipeline.stores.protocol import Snapshot
from stats_pipeline.urls import without_password

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

#: How many of the last runs are shown.
SHOWN_RUNS = 20


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
    summary = pipeline.dead_letters.summary()
    return {
        "store": pipeline.store.check(),
        "queue": pipeline.queue.check(),
        "spooled_messages": pipeline.publisher.spooled(),
        "dead_letters": summary.total,
        "dead_letter_summary": summary.as_dict(),
        "events": {
            name: _event_type(pipeline, registries.event_type(name))
            for name in registries.active_event_types
        },
        "aggregations": {
            name: _aggregation(pipeline, name) for name in sorted(registries.aggregation_items)
        },
        "runs": [run.as_dict() for run in pipeline.runs(limit=SHOWN_RUNS)],
    }


def _event_type(pipeline: Pipeline, definition: EventDefinition) -> dict[str, Any]:
    """Return what waits, and what is stored; events that were withdrawn are not counted."""
    name, queue, now = definition.queue_name, pipeline.queue, pipeline.clock.now()
    waiting = queue.depth(name) if queue.exists(name) else 0
    pipeline.store.refresh([definition.alias])
    with pipeline.store.snapshot([definition.alias]) as snapshot:
        recent = _stored(snapshot, Filter().between("timestamp", start=now - DAY))
        stored = _stored(snapshot, Filter())
    return {
        "waiting_messages": waiting,
        "oldest_waiting": _oldest(pipeline, name) if waiting else None,
        "stored_events": stored[0],
        "robot_share": _share(*stored),
        "stored_events_last_day": recent[0],
        "robot_share_last_day": _share(*recent),
    }


def _stored(snapshot: Snapshot, where: Filter) -> tuple[int, int]:
    """Return how many events there are, and how many of them are robots'."""
    there = where.where("withdrawn", exclude=[True])
    return snapshot.count(there), snapshot.count(there.where("is_robot", include=[True]))


def _share(events: int, robots: int) -> float | None:
    return round(robots / events, 4) if events else None


def _oldest(pipeline: Pipeline, queue_name: str) -> str | None:
    """Return when the first message's oldest event was received; the message stays where it is."""
    with pipeline.queue.consume(queue_name) as consumer:
        message = consumer.take()
    if message is None:  # A worker was faster.
        return None
    try:
        events = decode(message.body).events
        times = [event["received_at"] for event in events if "received_at" in event]
        return min(times, default=None)
    except (ValueError, TypeError):
        return None  # It is none of ours, and will be a dead letter.


def _aggregation(pipeline: Pipeline, name: str) -> dict[str, Any]:
    try:
        updating = pipeline.updating(pipeline.registries.aggregation(name))
        as_of = updating.as_of()
        return {
            "dirty_intervals": len(updating.dirty()),
            "as_of": None if as_of is None else format_time(as_of),
        }
    except StoreError:
        raise
    except StatsError as error:  # one wrong registration: the others still have a state
        return {"error": str(error)}
