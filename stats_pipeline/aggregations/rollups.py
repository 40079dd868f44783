"""Rollups: what was written to rows, said counter by counter, as of one table.

Several aggregations may be parts of one table, such as the counters of two event types by version
(`report_as`). In it, a row is new where no part had it, and gone where no part has it any more.
While other runs write to the same rows, both are only nearly so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from stats_pipeline.aggregations.generations import Generations
from stats_pipeline.clock import parse_time
from stats_pipeline.model import Filter
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.reports import AggregationReport, Touched
from stats_pipeline.stores.protocol import Snapshot, Store

#: Rows that are looked for in the other parts at once.
BATCH = 1_000


class OtherParts:
    """The rows of other aggregations that are parts of the same table.

    Args:
        store: where they live.
        definitions: of these aggregations.
    """

    def __init__(self, store: Store, definitions: Sequence[AggregationDefinition] = ()) -> None:
        self._store = store
        self._parts = [Generations(store, definition) for definition in definitions]

    def having(self, places: Sequence[tuple[str, str]]) -> set[str]:
        """Return which of these rows readers see in another part, too (realtime).

        Args:
            places: start and id of each. The id is the same in all parts (see `row_id`).
        """
        found: set[str] = set()
        for part in self._parts:
            current = part.current()
            by_index: dict[str, list[str]] = {}
            for start, row_id in places:
                by_index.setdefault(part.index_name(current, parse_time(start)), []).append(row_id)
            for index, ids in by_index.items():
                found |= {row.id for row in self._store.get(index, ids) if row is not None}
        return found

    def replaced(self, names: Sequence[str], kept: Sequence[Filter]) -> AggregationReport:
        """Return what goes with a generation: all rows of these indices but those that are kept.

        Args:
            names: of its indices.
            kept: each keeps other rows.
        """
        with self._store.snapshot(names) as rows:
            deleted = rows.count(Filter()) - sum(map(rows.count, kept))
            shared = self._count(rows, Filter()) - sum(self._count(rows, each) for each in kept)
        return AggregationReport(deleted=deleted, vanished=deleted - shared)

    def _count(self, rows: Snapshot, where: Filter) -> int:
        """Return how many of these rows other parts have, too."""
        if not self._parts:
            return 0
        number = 0
        found = rows.scan(where, ["timestamp"])
        # What was written by hand may lack its time.
        places = ((row.body["timestamp"], row.id) for row in found if "timestamp" in row.body)
        while batch := list(islice(places, BATCH)):
            number += len(self.having(batch))
        return number


class Touches:
    """Count how often each counter of a table was created or updated by the rows of one interval.

    The first counter of a new row creates it, the others update it.

    Args:
        counters: fields of the rows, in their order.
        start: of the interval.
        parts: of the same table.
    """

    def __init__(self, counters: Sequence[str], start: str, parts: OtherParts) -> None:
        self._counters = counters
        self._start = start
        self._parts = parts
        self._created = dict.fromkeys(counters, 0)
        self._updated = dict.fromkeys(counters, 0)
        self._vanished = 0
        #: Rows of which it is not known yet whether other parts have them: new ones, with their
        #: counters, and gone ones.
        self._new: dict[str, list[str]] = {}
        self._gone: list[str] = []

    def wrote(self, row_id: str, body: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        """Count a row that was written; `before` is what was there."""
        old = before or {}
        touched = [name for name in self._counters if body.get(name, 0) != old.get(name, 0)]
        if before is None:
            self._new[row_id] = touched
            self._settle(BATCH)
        else:
            self._update(touched)

    def deleted(self, row_id: str) -> None:
        """Count a row that is gone."""
        self._gone.append(row_id)
        self._settle(BATCH)

    def report(self) -> AggregationReport:
        """Return what was counted."""
        self._settle(1)
        counters = {
            name: Touched(created=self._created[name], updated=self._updated[name])
            for name in self._counters
        }
        return AggregationReport(counters=counters, vanished=self._vanished)

    def _settle(self, least: int) -> None:
        if len(self._new) + len(self._gone) < least:
            return
        elsewhere = self._parts.having([(self._start, one) for one in [*self._new, *self._gone]])
        for row_id, touched in self._new.items():
            creators = [] if row_id in elsewhere else touched[:1]
            for name in creators:
                self._created[name] += 1
            self._update(touched[len(creators) :])
        self._vanished += sum(row_id not in elsewhere for row_id in self._gone)
        self._new, self._gone = {}, []

    def _update(self, touched: Sequence[str]) -> None:
        for name in touched:
            self._updated[name] += 1


def with_days(report: AggregationReport, days: Sequence[AggregationReport]) -> AggregationReport:
    """Return the report of an interval whose rows follow from those of these days.

    Each day of a row that was touched has touched the row. A value that does not fit in a day's
    row is why one of the interval does not.
    """
    counters = {}
    for name, own in report.counters.items():
        of_days = [day.counters[name] for day in days if name in day.counters]
        touches = sum(one.created + one.updated for one in of_days)
        counters[name] = replace(own, updated=max(own.updated, touches - own.created))
    unfit = next(filter(None, (day.unfit for day in days)), report.unfit)
    return replace(report, counters=counters, unfit=unfit)
