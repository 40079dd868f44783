"""Imported rows beside those that were counted here: in one interval, answers would add them up."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from stats_pipeline.clock import format_time
from stats_pipeline.intervals import Period
from stats_pipeline.model import Filter
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.registry.definitions import SOURCE
from stats_pipeline.stores.protocol import Snapshot, Store


def counted(rows: Snapshot, where: Filter) -> Iterator[tuple[str, bool]]:
    """Yield the start of each interval that has rows which were counted here.

    Beside it stands whether it has imported rows, too.
    """
    labelled = rows.groups(where.between(SOURCE), ["timestamp"], {})
    imported = {group.key: group.count for group in labelled}
    for group in rows.groups(where, ["timestamp"], {}):
        if group.count > imported.get(group.key, 0):
            yield group.key[0], group.key in imported


def counted_twice(
    store: Store, definition: AggregationDefinition, periods: Collection[Period] | None
) -> tuple[str, ...]:
    """Return the starts of intervals that have imported rows and such as were counted here.

    Args:
        store: where rows are.
        definition: of the aggregation.
        periods: only of these intervals; None: of all.
    """
    index = definition.imported_index
    if index is None or (periods is not None and not periods) or not store.index_uuids([index]):
        return ()
    where, starts = Filter(), None
    if periods is not None:
        starts = {format_time(period.start) for period in periods}
        first, last = min(p.start for p in periods), max(p.end for p in periods)
        where = where.between("timestamp", first, last)
    with store.snapshot([definition.alias]) as rows:
        found = [start for start, has_imported in counted(rows, where) if has_imported]
    return tuple(start for start in found if starts is None or start in starts)
