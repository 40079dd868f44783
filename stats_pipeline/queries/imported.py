"""Imported rows: how much of an answer was counted elsewhere, and the choice of rows by source.

Rows that were imported have a `source`; those that were counted here have none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stats_pipeline.model import Filter
from stats_pipeline.queries.reading import Rows
from stats_pipeline.queries.row_metrics import RowMetric, Tally
from stats_pipeline.registry.definitions import SOURCE
from stats_pipeline.stores.protocol import Snapshot, Store

#: What the parameter says of rows that were counted here; no source is called so.
HERE = ""

#: Where an answer and its buckets say it.
KEY = "imported"

#: The key of a bucket.
Key = Any

#: Source -> the number of its rows alone, None where that can't be told.
Shares = dict[str, float | str | None]


class Imported:
    """Know the imported ones among the rows that a query reads.

    Args:
        store: where they are.
        snapshot: what the query reads.
        rows: what is declared of it.
        where: which of them it reads.
        metric: its `value`.
    """

    def __init__(
        self, store: Store, snapshot: Snapshot, rows: Rows, where: Filter, metric: RowMetric
    ) -> None:
        self.rows = rows
        self._snapshot = snapshot
        self._where = where
        self._metric = metric
        index = rows.imported_index
        # After the snapshot was opened: what is not there now had no rows then.
        self._are_any = index is not None and bool(store.index_uuids([index]))

    def choose(self, sources: Sequence[str] | None) -> Filter:
        """Read rows of these sources only (None: of any); return the filter that says so."""
        if sources is not None and HERE not in sources:
            self._where = self._where.where(SOURCE, include=sources)
        elif sources is not None and self._are_any:
            groups = self._snapshot.groups(self._where, [SOURCE], {})
            others = [group.key[0] for group in groups if group.key[0] not in sources]
            self._where = self._where.where(SOURCE, exclude=others) if others else self._where
        return self._where

    def shares(
        self, by: Sequence[str], key_of: Callable[[tuple[Any, ...]], Key] = tuple
    ) -> dict[Key, Shares]:
        """Return the shares of each bucket that has imported rows.

        Args:
            by: the fields of the rows that buckets are made of.
            key_of: returns a bucket's key of the values of these fields.
        """
        tallies: dict[Key, dict[str, Tally]] = {}
        if self._are_any:
            metrics = {self._metric.name: self._metric.store_metric}
            where = self._where.between(SOURCE)
            for group in self._snapshot.groups(where, [*by, SOURCE], metrics):
                *values, source = group.key
                of_bucket = tallies.setdefault(key_of(tuple(values)), {})
                of_bucket.setdefault(source, Tally()).add(group, [self._metric])
        return {
            key: {source: self._number(tally) for source, tally in of_bucket.items()}
            for key, of_bucket in tallies.items()
        }

    def _number(self, tally: Tally) -> float | str | None:
        # Imported rows have no sketches.
        is_unknown = self._metric.kind == "unique" and tally.rows > 1
        return None if is_unknown else tally.number(self._metric)
