"""Whether queue and store can be used, and hold what the pipeline needs of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from stats_pipeline.intervals import ALL_TIME
from stats_pipeline.pipeline.doctor.configuration import Registered
from stats_pipeline.pipeline.doctor.report import Examination, Hop
from stats_pipeline.registry import AggregationDefinition, EventDefinition
from stats_pipeline.stores import fixed
from stats_pipeline.stores.indices import EventIndices
from stats_pipeline.stores.protocol import Store
from stats_pipeline.templates import IndexTemplate
from stats_pipeline.text import noun

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

SPOOL = (
    "let every process that emits write to the folder STATS_SPOOL, and see that its disk has room "
    "and that the broker takes messages; STATS_SPOOL_MEGABYTES is its limit"
)


def examine_queue(
    examination: Examination, pipeline: Pipeline, registered: Registered
) -> tuple[Hop, dict[EventDefinition, Hop]]:
    """Try the broker, the queue of each event type, and the spool; return broker and queues."""
    broker = examination.attempt("message queue", pipeline.queue.check)
    queues = {
        definition: examination.attempt(
            f"queue of {definition.name}",
            partial(_declare, pipeline, definition.queue_name),
            after=[broker],
        )
        for definition in registered.event_types
    }
    if pipeline.spool is not None:
        examination.attempt("spool", pipeline.spool.check, advice=SPOOL)
    return broker, queues


def examine_store(examination: Examination, pipeline: Pipeline, registered: Registered) -> Hop:
    """Try the store, its templates, and what it has recorded before; return the store."""
    store = examination.attempt("store", pipeline.store.check)
    templates = [definition.template for definition in registered.event_types]
    templates += [definition.template for definition in registered.aggregations]
    examination.attempt(
        "index templates",
        partial(_install, pipeline.store, templates),
        after=[store],
    )
    for event_type in registered.event_types:
        examination.attempt(
            f"events of {event_type.name}",
            partial(_check_events, pipeline.store, event_type),
            after=[store],
        )
    examination.attempt(
        "rows", partial(_check_rows, pipeline, registered.aggregations), after=[store]
    )
    return store


def _declare(pipeline: Pipeline, name: str) -> str:
    pipeline.queue.declare([name])
    return f"{name}, messages that wait: {pipeline.queue.depth(name)}"


def _install(store: Store, templates: Sequence[IndexTemplate]) -> str:
    for template in templates:
        store.put_template(template)
    return f"{len(templates)} installed"


def _check_events(store: Store, definition: EventDefinition) -> str:
    """Refuse a configuration that does not fit to the stored events, and indices that are lost."""
    fixed.check(store.state, **definition.fixed)
    indices = EventIndices(store, definition.template, definition.config.index_interval)
    names = indices.covering(ALL_TIME)
    indices_ = f"{len(names)} {noun(len(names), 'index', 'indices')}"
    return f"{indices_}, none is lost" if names else "none yet"


def _check_rows(pipeline: Pipeline, aggregations: Sequence[AggregationDefinition]) -> str:
    """Refuse a configuration that does not fit to the rows that are there."""
    updated = 0
    for definition in aggregations:
        updating = pipeline.updating(definition)
        updating.check()
        updated += updating.as_of() is not None
    return f"{updated} of {len(aggregations)} aggregations have been updated before"
