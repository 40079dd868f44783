"""Unique counts over several rows: put together from the sketches of these rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from stats_pipeline.errors import InvalidParameter, QueryError
from stats_pipeline.intervals import IntervalName, period_of
from stats_pipeline.metrics import Unique, sketch_field
from stats_pipeline.queries.parameters import COMPOSED
from stats_pipeline.queries.reading import Rows
from stats_pipeline.queries.row_metrics import RowMetric
from stats_pipeline.registry.salt_windows import WITHIN
from stats_pipeline.sketches import SketchUnion
from stats_pipeline.stores.protocol import Document

#: The values of the fields that rows are put together by.
Key = tuple[Any, ...]


class Uniques:
    """Count the different values of several rows.

    Args:
        metrics: those of the answer; all but the unique ones are left alone.
        rows: what is declared of the rows.
        owner: the query's name, for messages.
    """

    def __init__(self, metrics: Sequence[RowMetric], rows: Rows, *, owner: str) -> None:
        self._metrics = [metric for metric in metrics if metric.kind == "unique"]
        self._rows = rows
        self._owner = owner

    def check(
        self, start: datetime | None, end: datetime | None, *, interval: IntervalName | None
    ) -> None:
        """Refuse numbers of visitors over a time in which one visitor has several ids.

        Args:
            start: of the asked range, None where it is open.
            end: of the asked range, exclusive, None where it is open.
            interval: of one bucket, None where one number is for the whole range.

        Raises:
            InvalidParameter: saying what is allowed.
        """
        for metric in self._metrics:
            self._check_declared(metric)
            window = self._rows.salt_windows.get(metric.field)
            if window is None or _is_in_one(window, start, end):
                continue
            if interval is not None and interval in self._allowed(window):
                continue
            intervals = ", ".join(self._allowed(window))
            raise InvalidParameter(
                f"{self._owner}: {metric.name!r} can't be counted over "
                f"{'the asked range' if interval is None else f'one {interval}'}: visitors have "
                f"other ids in each {window} of UTC (salt_window), so nobody can tell who came "
                f"again in another one. Give a 'start_date' and an 'end_date' within one {window}"
                + ("" if interval is None else f", or one of these intervals: {intervals}"),
                parameter="start_date" if interval is None else "interval",
            )

    def merge(
        self,
        documents: Iterable[Document],
        key_of: Callable[[Mapping[str, Any]], Any],
        wanted: Collection[Any],
    ) -> Iterator[tuple[Any, dict[str, float]]]:
        """Yield (key, metric -> number of different values), with one key's sketches in memory.

        Args:
            documents: rows, those of one key one after the other; not touched if not needed.
            key_of: returns the key of a row's body.
            wanted: the keys of several rows; the number of a single one is exact as it is.

        Raises:
            QueryError: a row has no sketch.
        """
        if not self._metrics or not wanted:
            return
        for key, members in groupby(documents, key=lambda document: key_of(document.body)):
            if key in wanted:
                yield key, self._count(members)[0]

    def along(
        self, documents: Iterable[Document], fields: Sequence[str]
    ) -> Callable[[Key, int], dict[str, float]]:
        """Return what puts a key's rows together: metric -> number of different values.

        It is given the keys of groups in ascending order, each with its number of rows, and raises
        QueryError where a row has no sketch, or is in several groups.

        Args:
            documents: rows, ascending by the fields; not touched if not needed.
            fields: whose values a key has.
        """
        groups = groupby(documents, key=lambda document: _values(document.body, fields))

        def numbers_of(key: Key, rows: int) -> dict[str, float]:
            if not self._metrics:
                return {}
            members = next((members for found, members in groups if found == key), iter(()))
            numbers, counted = self._count(members)
            if counted != rows:
                raise QueryError(
                    f"{self._owner}: {', '.join(sorted(numbers))} can't be counted by "
                    f"{', '.join(fields)}, since some rows have several values of it; nest by the "
                    f"dimensions of the rows: {', '.join(self._rows.dimensions)}"
                )
            return numbers

        return numbers_of

    def _count(self, documents: Iterable[Document]) -> tuple[dict[str, float], int]:
        unions = {metric: SketchUnion() for metric in self._metrics}
        rows = 0
        for document in documents:
            rows += 1
            for metric, union in unions.items():
                if document.body.get(metric.field):  # A row that counts nothing has no sketch.
                    self._add(union, metric, document.body)
        return {metric.name: float(union.count) for metric, union in unions.items()}, rows

    def _add(self, union: SketchUnion, metric: RowMetric, row: Mapping[str, Any]) -> None:
        try:
            union.add(row.get(sketch_field(metric.field), ""))
        except ValueError:
            raise QueryError(
                f"{self._owner}: {metric.name!r} can't be counted over several rows, since that "
                f"of {row.get('start')} has no sketch of its values: it was written by a version "
                f"without sketches (run `stats reset {self._rows.aggregation}`), or imported from "
                "elsewhere (leave it out by an empty 'source', or ask for a range without it)"
            ) from None

    def _check_declared(self, metric: RowMetric) -> None:
        if not isinstance(self._rows.metrics.get(metric.field), Unique):
            raise QueryError(
                f"{self._owner}: {metric.name!r} can't be counted: no aggregation declares the "
                f"unique count {metric.field!r} of {self._rows.alias}"
            )

    def _allowed(self, window: IntervalName) -> list[IntervalName]:
        """Return the intervals of a bucket that lie within one salt window."""
        rows = self._rows
        # A row of its own lies within one: aggregations are checked for that.
        return [
            name
            for name in COMPOSED[rows.interval]
            if name == rows.interval or (name in WITHIN[window] and rows.zone is UTC)
        ]


def _values(row: Mapping[str, Any], fields: Sequence[str]) -> Key:
    """Return a row's values of these fields, None where it lacks one; several are a tuple."""
    values = (row.get(name) for name in fields)
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


def _is_in_one(window: IntervalName, start: datetime | None, end: datetime | None) -> bool:
    return start is not None and end is not None and end <= period_of(start, window).end
