"""Write what differs between the rows as they should be and the rows as they are stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from stats_pipeline.aggregations.aggregator import Row
from stats_pipeline.clock import Clock
from stats_pipeline.errors import StoreRefused
from stats_pipeline.reports import AggregationReport
from stats_pipeline.stores.protocol import Delete, Document, Operation, Put, Store, Verdict
from stats_pipeline.stores.writing import write

#: Rows in one bulk.
BATCH = 1_000


class DifferenceWriter:
    """Bring the stored rows of one interval to what was computed.

    Args:
        store: where rows are.
        index: the index of this interval's rows.
        clock: for waiting between tries.
        prepare: called before the first write; makes the index exist.
        check: called before each write and now and then; raises where this run may not write.
    """

    def __init__(
        self,
        store: Store,
        index: str,
        clock: Clock,
        *,
        prepare: Callable[[], object],
        check: Callable[[], None],
    ) -> None:
        self._store = store
        self._index = index
        self._clock = clock
        self._prepare = prepare
        self._check = check
        self._pending: list[Operation] = []
        self._has_index = False

    def write(
        self, computed: Iterator[Row], stored: Iterator[Document], dimensions: Sequence[str]
    ) -> AggregationReport:
        """Create, change and, last of all, delete; both streams come by dimensions ascending."""
        created = updated = unchanged = 0
        gone: list[Operation] = []
        for number, (row, document) in enumerate(_side_by_side(computed, stored, dimensions)):
            if number % BATCH == 0:
                self._check()
            if row is None:
                if document is not None:
                    gone.append(Delete(document.index, document.id))
            elif document is not None and document.body == row.body:
                unchanged += 1
            else:
                self._put(row)
                created, updated = created + (document is None), updated + (document is not None)
        self._send()
        for position in range(0, len(gone), BATCH):
            self._pending = gone[position : position + BATCH]
            self._send()
        return AggregationReport(
            created=created, updated=updated, unchanged=unchanged, deleted=len(gone), intervals=1
        )

    def _put(self, row: Row) -> None:
        self._pending.append(Put(self._index, row_id(row.body["start"], row.key), row.body))
        if len(self._pending) == BATCH:
            self._send()

    def _send(self) -> None:
        if not self._pending:
            return
        if not self._has_index:
            self._prepare()
            self._has_index = True
        self._check()
        for result in write(self._store, self._pending, self._clock):
            if result.verdict is not Verdict.DONE:
                raise StoreRefused(f"The store refuses a row of {self._index}: {result.reason}")
        self._pending = []


def row_id(start: str, key: Sequence[Any]) -> str:
    """Return the id of a row: the same for the same interval and dimensions, at every run."""
    return hashlib.sha256(json.dumps([start, *key]).encode()).hexdigest()[:32]


def _side_by_side(
    computed: Iterator[Row], stored: Iterator[Document], dimensions: Sequence[str]
) -> Iterator[tuple[Row | None, Document | None]]:
    """Yield each row beside the document of the same dimensions, None where one side lacks it."""
    row, document = next(computed, None), next(stored, None)
    while row is not None or document is not None:
        place = None if document is None else tuple(document.body[name] for name in dimensions)
        if row is None or (place is not None and place < row.key):
            yield None, document
            document = next(stored, None)
        elif place is None or row.key < place:
            yield row, None
            row = next(computed, None)
        else:
            yield row, document
            row, document = next(computed, None), next(stored, None)
