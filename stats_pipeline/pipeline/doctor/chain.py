"""A chain of the doctor's own: one event on the host's queue and store, counted apart from all.

Event type, aggregation and query are the doctor's, under the host's index prefix, so that they need
no other rights than the host's. What was made is removed behind it; the empty queue and the two
index templates stay for the next time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain as chained
from typing import TYPE_CHECKING

from stats_pipeline.aggregations import as_of, generations, lease
from stats_pipeline.aggregations.run import do_all
from stats_pipeline.aggregations.steps import Steps
from stats_pipeline.aggregations.update import Range
from stats_pipeline.pipeline.doctor.registrations import AGGREGATION, EVENT_TYPE, QUERY, SETTINGS
from stats_pipeline.pipeline.doctor.report import Examination, Hop, Unsound
from stats_pipeline.stores import fixed, indices, marks
from stats_pipeline.stores.protocol import Record
from stats_pipeline.text import noun

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

#: Longer than a chain takes; one that was killed leaves the way free after it.
LEASE_SECONDS = 120.0


def examine(examination: Examination, pipeline: Pipeline, *, after: Sequence[Hop]) -> None:
    """Let one event become stored, aggregated and an answer, which must be exactly 1."""
    own = pipeline.beside({**pipeline.settings, **SETTINGS})
    test_id = secrets.token_hex(8)
    held: list[lease.Lease] = []
    begun = examination.attempt(
        "test event published", partial(_publish, own, test_id, held), after=after
    )
    stored = examination.attempt("test event stored", partial(_process, own), after=[begun])
    aggregated = examination.attempt("test event aggregated", partial(_update, own), after=[stored])
    examination.attempt(
        "test event counted by a query", partial(_ask, own, test_id), after=[aggregated]
    )
    if held:
        examination.attempt("test event removed", partial(_end, own, held))


def _publish(own: Pipeline, test_id: str, held: list[lease.Lease]) -> str:
    key = f"{own.settings['STATS_INDEX_PREFIX']}stats-doctor"
    mine = lease.acquire(own.store.state, own.clock, key, LEASE_SECONDS)
    if mine is None:
        raise Unsound("another doctor is at work here: ask again when it is done")
    held.append(mine)
    _clean(own)  # What one before this left that was killed.
    own.publish(EVENT_TYPE, [{"test_id": test_id, "user_agent": "stats doctor"}])
    return f"the queue {own.registries.event_type(EVENT_TYPE).queue_name} has it"


def _process(own: Pipeline) -> str:
    definition = own.registries.event_type(EVENT_TYPE)
    report = own.processing.process([definition], None, None, None)
    for each in report.types.values():
        if each.error:
            raise Unsound(each.error)
    if not report.indexed:
        raise Unsound(f"it came out of the queue as {report.as_dict()}")
    return f"{report.indexed} document written"


def _update(own: Pipeline) -> str:
    updating = own.updating(own.registries.aggregation(AGGREGATION))
    steps = Steps()
    run = updating.begin(Range(), started=own.clock.now())
    do_all([run], threads=1, steps=steps)
    report = updating.end(run, Range(), steps=steps)
    if report.error:
        raise Unsound(report.error)
    return f"{report.created} row written"


def _ask(own: Pipeline, test_id: str) -> str:
    value = own.query(QUERY, test_id=test_id)["value"]
    if value != 1:
        raise Unsound(f"the answer is {value:g} and should be 1")
    return "the answer is 1"


def _end(own: Pipeline, held: Sequence[lease.Lease]) -> str:
    try:
        removed = _clean(own)
        return f"{removed} {noun(removed, 'index', 'indices')}, with all records"
    finally:
        for each in held:
            each.release()


def _clean(own: Pipeline) -> int:
    """Remove indices, state records, ledger and dead letters; return how many indices."""
    records = list(_records(own))
    kinds = (indices.KIND, generations.INDEX_KIND)
    names = [record.key for record in records if record.kind in kinds]
    own.store.delete_indices(names)
    own.ledger.forget(EVENT_TYPE)
    for record in records:
        own.store.state.delete(record)
    own.dead_letters.purge(event_type=EVENT_TYPE)
    return len(names)


def _records(own: Pipeline) -> Iterator[Record]:
    """Yield every state record of the doctor's event type and aggregation."""
    state = own.store.state
    events = own.registries.event_type(EVENT_TYPE).alias
    aggregation = own.registries.aggregation(AGGREGATION)
    rows = generations.Generations(own.store, aggregation).done_name(1)
    by_key = {fixed.KIND: [events, rows], generations.KIND: [aggregation.alias]}
    by_key[as_of.KIND] = [aggregation.alias]
    yield from chained(
        state.find(indices.KIND, group=events),
        state.find(marks.KIND, group=events),
        state.find(generations.INDEX_KIND, group=rows),
        (record for record in state.find(lease.KIND) if record.key.startswith(f"{rows}/")),
    )
    for kind, keys in by_key.items():
        yield from (record for record in state.get(kind, keys) if record is not None)
