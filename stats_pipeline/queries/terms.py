"""Buckets per value of a field, nested by as many fields as are declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from stats_pipeline.errors import QueryError
from stats_pipeline.queries.reading import Rows
from stats_pipeline.queries.rows_query import Asked, RowsQuery
from stats_pipeline.queries.uniques import key_by
from stats_pipeline.stores.protocol import Snapshot

#: In one answer, at all levels. More are an export and not an answer, and would fill the memory.
MOST_BUCKETS = 100_000

#: Values of the fields of a level -> its bucket.
Level = dict[tuple[Any, ...], dict[str, Any]]


class TermsQuery(RowsQuery):
    """Answer the range's numbers and, level by level, one bucket for each value of a field.

    Each level has ``"type": "bucket", "field", "key_type": "terms", "buckets"``; a bucket has its
    ``key``, its numbers and its copied fields. Buckets go by ``value``, highest first, then by
    key; there are as many as there are values, and too many are refused. Rows without a field
    count in the level above only. Without ``aggregated_fields`` the answer is that of a
    `TotalsQuery`.
    """

    takes_aggregated_fields: ClassVar[bool] = True

    def _answer(self, snapshot: Snapshot, rows: Rows, asked: Asked) -> tuple[dict[str, Any], int]:
        fields = self.config.aggregated_fields
        root: dict[str, Any] = {"buckets": []}
        upper: Level = {(): root}
        most_rows = buckets = 0
        for depth in range(len(fields) + 1):
            level: Level = {}
            several: set[tuple[Any, ...]] = set()
            for group in self._groups(snapshot, rows, asked, fields[:depth]):
                bucket = {**asked.bounds} if depth == 0 else {"key": group.key[-1]}
                bucket |= self._numbers(self._tally(group))
                buckets += 1
                if buckets > MOST_BUCKETS:
                    raise QueryError(
                        f"{self.name}: there are more than {MOST_BUCKETS} buckets; give a filter, "
                        "or a 'start_date' and 'end_date' that are closer together"
                    )
                if depth < len(fields):
                    bucket |= _nested_by(fields[depth])
                level[group.key] = bucket
                upper[group.key[:-1]]["buckets"].append(bucket)
                most_rows = max(most_rows, group.count)
                if group.count > 1:
                    several.add(group.key)
            documents, key_of = snapshot.scan(asked.where, fields[:depth]), key_by(fields[:depth])
            for key, numbers in self._uniques(rows).merge(documents, key_of, several):
                level[key].update(numbers)
            _sort(upper)
            upper = level
        answer: dict[str, Any] = root["buckets"][0]
        return answer, most_rows


def _nested_by(field: str) -> dict[str, Any]:
    return {"type": "bucket", "field": field, "key_type": "terms", "buckets": []}


def _sort(level: Level) -> None:
    for bucket in level.values():
        bucket["buckets"].sort(key=_value_then_key)


def _value_then_key(bucket: Mapping[str, Any]) -> tuple[bool, float, Any]:
    value = bucket["value"]
    return value is None, -(value or 0.0), bucket.get("key")
