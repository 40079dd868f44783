"""One number for a range: how often, how much."""

from __future__ import annotations

from typing import Any

from stats_pipeline.queries.reading import Rows
from stats_pipeline.queries.rows_query import Asked, RowsQuery
from stats_pipeline.queries.uniques import key_by
from stats_pipeline.stores.protocol import Snapshot


class TotalsQuery(RowsQuery):
    """Answer ``{"start_date", "end_date", "value", <metrics>, <copied fields>, "as_of"}``."""

    def _answer(self, snapshot: Snapshot, rows: Rows, asked: Asked) -> tuple[dict[str, Any], int]:
        (group,) = self._groups(snapshot, rows, asked, ())
        tally = self._tally(group)
        if group.count > 1:
            documents = snapshot.scan(asked.where, ())
            for _, numbers in self._uniques(rows).merge(documents, key_by(()), {()}):
                tally.values.update(numbers)
        return {**asked.bounds, **self._numbers(tally)}, group.count
