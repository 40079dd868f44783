"""Take over: rows that can't be computed any more go from one generation into the next unchanged.

Those are the rows of sealed time, and those of time that is wholly lost; of long intervals their
day rows, too. Done twice, or again after it was cut short, it comes to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from stats_pipeline.aggregations.generations import Generations
from stats_pipeline.clock import MILLISECOND, Clock, parse_time
from stats_pipeline.errors import DefinitionError, LeaseLost
from stats_pipeline.intervals import Period
from stats_pipeline.model import Filter
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.stores import fixed
from stats_pipeline.stores.protocol import (
    Delete,
    Document,
    Operation,
    Put,
    Snapshot,
    Store,
)
from stats_pipeline.stores.seals import Seal
from stats_pipeline.stores.writing import write_all

#: Rows in one bulk.
BATCH = 1_000

#: What may differ between rows that lie side by side in one generation.
MAY_DIFFER = "index_interval"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Be rows of one kind, those that readers see or day rows: where they are, where they go."""

    source: Sequence[str]
    target_names: Callable[[], Sequence[str]]
    target: Callable[[datetime], str]
    wheres: Sequence[Filter]


class TakeOver:
    """Take over what can't be computed any more.

    Args:
        definition: of the aggregation.
        store: where rows live.
        clock: for waiting between tries.
        generations: of the aggregation.
    """

    def __init__(
        self,
        definition: AggregationDefinition,
        *,
        store: Store,
        clock: Clock,
        generations: Generations,
    ) -> None:
        self._definition = definition
        self._store = store
        self._clock = clock
        self._generations = generations

    def bring(self, generation: int, seal: Seal, values: Mapping[str, Any]) -> int:
        """Bring the final rows of a generation to what they are now; return how many there are.

        Args:
            generation: which is being built.
            seal: says what is final.
            values: what of its rows can't change, as `fixed` takes it.

        Raises:
            DefinitionError: its rows and these would not be of one kind.
            LeaseLost: another run has made this generation the current one.
        """
        source = self._generations.replaced_by(generation)
        # None: another run of this reset has ended it already.
        if source is None or (seal.sealed_before is None and not seal.lost):
            return 0
        number = 0
        for kind in self._kinds(source, generation, seal):
            self._store.refresh(kind.source)
            for where in kind.wheres:
                with self._store.snapshot(kind.source) as rows:
                    # What was deleted before this would look like no rows.
                    if self._generations.replaced_by(generation) != source:
                        raise LeaseLost("Another run has ended this reset, or taken its place")
                    number += self._copy(rows, kind, where, source, values)
                    self._remove_others(rows, kind, where)
        return number

    def kept(self, seal: Seal) -> list[Filter]:
        """Return what keeps the rows that readers see and that `bring` takes; each keeps others."""
        lost = [] if self._definition.follows_from_days else [_within(each) for each in seal.lost]
        if seal.sealed_before is None:
            return lost
        later = seal.sealed_before + MILLISECOND
        return [_ended(seal.sealed_before), *(each.between("end", later) for each in lost)]

    def _kinds(self, source: int, generation: int, seal: Seal) -> Iterator[_Kind]:
        generations, lost = self._generations, [_within(period) for period in seal.lost]
        sealed = [_ended(seal.sealed_before)] if seal.sealed_before else []
        if self._definition.follows_from_days:

            def day_target(start: datetime) -> str:
                generations.ensure_day_index(generation, start)
                return generations.day_index_name(generation, start)

            yield _Kind(
                generations.day_index_names(source),
                lambda: generations.day_index_names(generation),
                day_target,
                [*sealed, *lost],
            )
        yield _Kind(
            generations.index_names(source),
            lambda: generations.index_names(generation),
            lambda start: generations.ensure_index(generation, start),
            # Long rows of which some days are lost follow from all their day rows.
            sealed if self._definition.follows_from_days else [*sealed, *lost],
        )

    def _copy(
        self, rows: Snapshot, kind: _Kind, where: Filter, source: int, values: Mapping[str, Any]
    ) -> int:
        targets: dict[str, str] = {}
        number = 0
        found = rows.scan(where, ["timestamp"])
        while batch := list(islice(found, BATCH)):
            if not number:
                self._refuse_other_kind(source, values)
            puts: dict[str, list[Put]] = {}
            for row in batch:
                start = row.body["timestamp"]
                if start not in targets:
                    targets = {start: kind.target(parse_time(start))}
                puts.setdefault(targets[start], []).append(Put(targets[start], row.id, row.body))
            for index, wanted in puts.items():
                stored = self._store.get(index, [put.id for put in wanted])
                pairs = zip(wanted, stored, strict=True)
                self._write([put for put, old in pairs if old is None or old.body != put.body])
            number += len(batch)
        return number

    def _remove_others(self, rows: Snapshot, kind: _Kind, where: Filter) -> None:
        """Remove rows that were computed before their time was sealed, and have no counterpart."""
        names = kind.target_names()
        self._store.refresh(names)
        order = ["timestamp", *self._definition.config.aggregation_field]
        with self._store.snapshot(names) as built:
            if built.count(where) == rows.count(where):
                return
            others = _without_counterpart(built.scan(where, order), rows.scan(where, order), order)
            while batch := list(islice(others, BATCH)):
                self._write([Delete(row.index, row.id) for row in batch])

    def _write(self, operations: Sequence[Operation]) -> None:
        if operations:
            write_all(self._store, operations, self._clock, what="a row")

    def _refuse_other_kind(self, source: int, values: Mapping[str, Any]) -> None:
        """Refuse rows of other intervals or dimensions beside those that stay for ever."""
        (record,) = self._store.state.get(fixed.KIND, [self._generations.done_name(source)])
        before = {} if record is None else record.body
        for key, value in values.items():
            if key != MAY_DIFFER and before.get(key, value) != value:
                raise DefinitionError(
                    f"{self._definition.title}: {key} was {before[key]!r} and is {value!r} now, "
                    "but there are rows that stay as they are, since their events are deleted: set "
                    "it back, or register the aggregation under a new name"
                )


def _ended(moment: datetime) -> Filter:
    return Filter().between("end", None, moment + MILLISECOND)


def _within(period: Period) -> Filter:
    begun = Filter().between("start", period.start, None)
    return begun.between("end", None, period.end + MILLISECOND)


def _without_counterpart(
    built: Iterator[Document], rows: Iterator[Document], order: Sequence[str]
) -> Iterator[Document]:
    """Yield what was built and is nowhere among the rows; both come in this order."""
    row = next(rows, None)
    for document in built:
        place = _place(document, order)
        while row is not None and _place(row, order) < place:
            row = next(rows, None)
        if row is None or _place(row, order) != place:
            yield document


def _place(document: Document, order: Sequence[str]) -> tuple[tuple[bool, Any], ...]:
    # What was written by hand may lack a dimension; such rows come first.
    values = (document.body.get(name) for name in order)
    return tuple((value is not None, value) for value in values)
