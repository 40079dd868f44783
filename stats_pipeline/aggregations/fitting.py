"""Fitting: which rows of an interval have values that their fields can't hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stats_pipeline.aggregations.aggregator import LONGEST, Row
from stats_pipeline.text import noun

#: What to try. Only events can heal the row: another type of its field does not change them.
ADVICE = (
    "All other rows are right. Withdraw, correct or erase the events with values that can't be, "
    "and the next update computes the row again"
)


class Fitting:
    """Look at the rows of one interval as they come by.

    Args:
        dimensions: of the rows.
        start: of the interval.
    """

    def __init__(self, dimensions: Sequence[str], start: str) -> None:
        self._dimensions = dimensions
        self._start = start
        self._first = ""
        self._number = 0

    def watch(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Yield the rows."""
        for row in rows:
            if row.unfit:
                self._number += 1
                self._first = self._first or f"{self._place(row)}: {row.unfit}"
            yield row

    @property
    def text(self) -> str:
        """Return what is wrong with the first such row, and what to do; empty where all fit."""
        if not self._number:
            return ""
        more = self._number - 1
        others = f" ({more} more {noun(more, 'row')} likewise)" if more else ""
        return f"{self._start}: {self._first}{others}. {ADVICE}"

    def _place(self, row: Row) -> str:
        if not row.key:
            return "in its row"
        pairs = zip(self._dimensions, row.key, strict=True)
        return f"in the row of {', '.join(f'{n}={str(v)[:LONGEST]!r}' for n, v in pairs)}"
