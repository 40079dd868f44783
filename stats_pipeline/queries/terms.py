"""Buckets per value of a field, nested by as many fields as are declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from stats_pipeline.queries.reading import Rows
from stats_pipeline.queries.rows_query import Asked, RowsQuery
from stats_pipeline.stores.protocol import Snapshot

#: Values of the fields of a level -> its bucket.
Level = dict[tuple[Any, ...], dict[str, Any]]


class TermsQuery(RowsQuery):
    """Answer the range's numbers and, level by level, one bucket for each value of a field.

    Each level has ``"type": "bucket", "field", "key_type": "terms", "buckets"``; a bucket has its
    ``key``, its numbers and its copied fields. Buckets go by ``value``, highest first, then by
    key; there are as many as there are values. Rows without a field count in the level above only.
    Without ``aggregated_fields`` the answer is that of a `TotalsQuery`.
    """

    takes_aggregated_fields: ClassVar[bool] = True

    def _answer(self, snapshot: Snapshot, rows: Rows, asked: Asked) -> tuple[dict[str, Any], int]:
        fields = self.config.aggregated_fields
        root: dict[str, Any] = {"buckets": []}
        upper: Level = {(): root}
        most_rows = 0
        for depth in range(len(fields) + 1):
            level: Level = {}
            for group in self._groups(snapshot, rows, asked, fields[:depth]):
                bucket = {**asked.bounds} if depth == 0 else {"key": group.key[-1]}
                bucket |= self._numbers(self._tally(group))
                if depth < len(fields):
                    bucket |= _nested_by(fields[depth])
                level[group.key] = bucket
                upper[group.key[:-1]]["buckets"].append(bucket)
                most_rows = max(most_rows, group.count)
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
