"""One number for a range: how often, how much."""

from __future__ import annotations

from typing import Any

from stats_pipeline.queries.reading import Rows
from stats_pipeline.queries.rows_query import Asked, RowsQuery
from stats_pipeline.stores.protocol import Snapshot


class TotalsQuery(RowsQuery):
    """Answer ``{"start_date", "end_date", "value", <metrics>, <copied fields>, "as_of"}``."""

    def _answer(self, snapshot: Snapshot, rows: Rows, asked: Asked) -> tuple[dict[str, Any], int]:
        (group,) = self._groups(snapshot, rows, asked, ())
        tally = self._tally(group)
        if group.count > 1:
            numbers_of = self._uniques(rows).along(snapshot.scan(asked.where, ()), ())
            tally.values.update(numbers_of((), group.count))
        return {**asked.bounds, **self._numbers(tally)}, group.count
