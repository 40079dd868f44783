"""Write what differs between the rows as they should be and the rows as they are stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from tempfile import SpooledTemporaryFile

from stats_pipeline.aggregations.aggregator import Row
from stats_pipeline.aggregations.lease import Leases
from stats_pipeline.aggregations.touches import Touches
from stats_pipeline.clock import Clock
from stats_pipeline.errors import StoreRefused, StoreUnanswered
from stats_pipeline.reports import AggregationReport
from stats_pipeline.stores.protocol import Delete, Document, Operation, Put, Store, Verdict
from stats_pipeline.stores.writing import write

#: Rows in one bulk.
BATCH = 1_000

#: Of the ids of rows that are gone; more of them wait in a temporary file.
GONE_BYTES = 1_000_000


class DifferenceWriter:
    """Bring the stored rows of one interval to what was computed.

    Args:
        store: where rows are.
        index: the index of this interval's rows.
        clock: for waiting between tries.
        prepare: called before the first write; makes the index exist.
        leases: checked before each write and now and then; in doubt where a write was not answered.
        touches: counts what became of each counter.
    """

    def __init__(
        self,
        store: Store,
        index: str,
        clock: Clock,
        *,
        prepare: Callable[[], object],
        leases: Leases,
        touches: Touches,
    ) -> None:
        self._store = store
        self._index = index
        self._clock = clock
        self._prepare = prepare
        self._leases = leases
        self._touches = touches
        self._pending: list[Operation] = []
        self._has_index = False

    def write(
        self, computed: Iterator[Row], stored: Iterator[Document], dimensions: Sequence[str]
    ) -> AggregationReport:
        """Create, change and, last of all, delete; both streams come by dimensions ascending."""
        created = updated = unchanged = deleted = 0
        with SpooledTemporaryFile(GONE_BYTES, "w+", encoding="ascii") as gone:
            for row, document in self._pairs(computed, stored, dimensions):
                if document is not None and row is None:
                    deleted += 1
                    gone.write(f"{json.dumps(document.id)}\n")
                elif row is not None and document is not None and document.body == row.body:
                    unchanged += 1
                elif row is not None:
                    self._do(Put(self._index, row_id(row), row.body))
                    before = document.body if document is not None else None
                    self._touches.wrote(row.body, before)
                    created += document is None
                    updated += document is not None
            self._send()
            gone.seek(0)
            for line in gone:
                self._do(Delete(self._index, json.loads(line)))
            self._send()
        report = AggregationReport(
            created=created, updated=updated, unchanged=unchanged, deleted=deleted, intervals=1
        )
        return report + self._touches.report()

    def _pairs(
        self, computed: Iterator[Row], stored: Iterator[Document], dimensions: Sequence[str]
    ) -> Iterator[tuple[Row | None, Document | None]]:
        pairs = _side_by_side(computed, stored, dimensions)
        for number, pair in enumerate(pairs):
            if number % BATCH == 0:
                self._leases.check()
            yield pair

    def _do(self, operation: Operation) -> None:
        self._pending.append(operation)
        if len(self._pending) == BATCH:
            self._send()

    def _send(self) -> None:
        if not self._pending:
            return
        if not self._has_index:
            self._prepare()
            self._has_index = True
        self._leases.check()
        try:
            results = write(self._store, self._pending, self._clock)
        except StoreUnanswered:
            self._leases.doubt()
            raise
        for result in results:
            if result.verdict is not Verdict.DONE:
                raise StoreRefused(f"The store refuses a row of {self._index}: {result.reason}")
        self._pending = []


def row_id(row: Row) -> str:
    """Return the id of a row: the same for the same interval and dimensions, at every run."""
    text = json.dumps([row.body["start"], *row.key])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _side_by_side(
    computed: Iterator[Row], stored: Iterator[Document], dimensions: Sequence[str]
) -> Iterator[tuple[Row | None, Document | None]]:
    """Yield each row beside its document, None where one side lacks it."""
    row, document = next(computed, None), next(stored, None)
    while row is not None or document is not None:
        if document is not None and (row is None or _is_before(document, row, dimensions)):
            yield None, document
            document = next(stored, None)
        elif document is not None and row is not None and document.id == row_id(row):
            yield row, document
            row, document = next(computed, None), next(stored, None)
        else:
            yield row, None
            row = next(computed, None)


def _is_before(document: Document, row: Row, dimensions: Sequence[str]) -> bool:
    """Tell whether a document belongs to no row at all, or to one that was not computed.

    What was written by hand may lack a dimension, or stand beside the row under another id.
    """
    place = tuple(document.body.get(name) for name in dimensions)
    if None in place or place < row.key:
        return True
    return place == row.key and document.id != row_id(row)
