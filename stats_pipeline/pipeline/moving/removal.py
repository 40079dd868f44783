"""Removal: take events out of the store so that the totals follow, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import TYPE_CHECKING, Any

from stats_pipeline.aggregations.flag_lease import alone_with_flags
from stats_pipeline.clock import parse_time
from stats_pipeline.events.placing import Placing
from stats_pipeline.model import Filter
from stats_pipeline.registry import EventDefinition
from stats_pipeline.stores import marks
from stats_pipeline.stores.indices import EventIndices
from stats_pipeline.stores.protocol import Document, Operation, Put
from stats_pipeline.stores.writing import write_all

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

#: Events in one bulk.
BATCH = 1_000

#: Called with how many events are done, and how many there are.
Progress = Callable[[int, int], None]


class Removal:
    """Change or remove stored events of one type.

    An event is withdrawn first, then its hours are marked, and only then it is gone. So a run that
    dies leaves what it was at where the next one finds it, and no hour without its mark.
    """

    def __init__(self, pipeline: Pipeline, definition: EventDefinition) -> None:
        self._definition = definition
        self._store = pipeline.store
        self._clock = pipeline.clock
        self._lease_seconds = pipeline.settings["STATS_LEASE_SECONDS"]
        self._alias = definition.alias
        indices = EventIndices(self._store, definition.template, definition.config.index_interval)
        # There may be no event of this version of the template yet.
        indices.install_template()
        self._placing = Placing(definition, indices, pipeline.settings["STATS_EARLIEST"])

    def alone(self) -> AbstractContextManager[Callable[[], None]]:
        """Wait for updates that set flags, and keep others from it (see `alone_with_flags`)."""
        return alone_with_flags(
            self._definition, self._store.state, self._clock, self._lease_seconds
        )

    def find(self, where: Filter, progress: Progress) -> Iterator[list[Document]]:
        """Yield the events that the filter keeps, in batches."""
        self._store.refresh([self._alias])
        with self._store.snapshot([self._alias]) as events:
            total, done = events.count(where), 0
            found = events.scan(where, ["timestamp", "event_id"])
            while documents := list(islice(found, BATCH)):
                yield documents
                done += len(documents)
                progress(done, total)

    def withdraw(self, documents: Sequence[Document]) -> None:
        """Let these events count no longer, and mark their hours; they are still there."""
        self.put(documents, lambda document: {**document.body, "withdrawn": True})
        self.touch(documents)

    def put(
        self,
        documents: Sequence[Document],
        change: Callable[[Document], Mapping[str, Any]],
    ) -> None:
        """Write these events anew, unless a later version has come meanwhile."""
        self.write([Put(d.index, d.id, change(d), d.version, is_same=True) for d in documents])

    def write(self, operations: Sequence[Operation]) -> None:
        """Do these operations; a document of a later version stays as it is."""
        write_all(self._store, operations, self._clock, what=f"an event of {self._alias}")

    def touch(self, documents: Sequence[Document]) -> None:
        """Mark the hours of these events."""
        hours = {
            hour
            for document in documents
            for hour in self._placing.touched(
                dict(document.body), parse_time(document.body["timestamp"])
            )
        }
        if hours:
            marks.touch(self._store.state, self._alias, hours)
