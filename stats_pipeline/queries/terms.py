"""Buckets per value of a field, nested by as many fields as are declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import groupby
from typing import Any, ClassVar

from stats_pipeline.errors import InvalidParameter
from stats_pipeline.queries.joining import KEY as ANNOTATIONS
from stats_pipeline.queries.parameters import END_DATE, SIZE, START_DATE, Parameter, read_size
from stats_pipeline.queries.reading import Rows, most_buckets
from stats_pipeline.queries.rows_query import Asked, RowsQuery
from stats_pipeline.queries.uniques import Key
from stats_pipeline.stores.protocol import Snapshot

#: Values of the fields of a level -> its bucket.
Level = dict[Key, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Found:
    """Be a bucket, with its values of the fields of all levels, and the rows it is made of."""

    key: Key
    bucket: dict[str, Any]
    rows: int


class TermsQuery(RowsQuery):
    """Answer the range's numbers and, level by level, one bucket for each value of a field.

    Each level has ``"type": "bucket", "field", "key_type": "terms", "buckets"``; a bucket has its
    ``key``, its numbers and its copied fields. Buckets go by ``value``, highest first, then by
    key; there are as many as there are values, or the first ``size`` of them, and then no more
    than these are ever in memory. Rows without a field count in the level above only, and so does
    what is cut off. Without ``aggregated_fields`` the answer is that of a `TotalsQuery`.
    """

    own_parameters: ClassVar[tuple[Parameter, ...]] = (START_DATE, END_DATE, SIZE)
    takes_aggregated_fields: ClassVar[bool] = True

    def check(self, params: Mapping[str, Any]) -> None:
        """Refuse parameters that no rows could answer, without reading anything."""
        super().check(params)
        self._value(params, SIZE.name, read_size, None)

    @property
    def columns(self) -> Sequence[str]:
        """Return the names that a table of the answer's buckets has, also where there are none."""
        fields = self.config.aggregated_fields
        if not fields:
            return ()
        is_annotated = fields[-1] in self.config.annotations
        return [*self._columns(*fields), *([ANNOTATIONS] if is_annotated else ())]

    def _answer(self, snapshot: Snapshot, rows: Rows, asked: Asked) -> tuple[dict[str, Any], int]:
        size, most = self._value(asked.params, SIZE.name, read_size, None), most_buckets()
        (root,) = self._found(snapshot, rows, asked, (), {(): {}})
        upper: Level = {(): root.bucket}
        room = most
        for depth in range(len(self.config.aggregated_fields)):
            by, level = self.config.aggregated_fields[: depth + 1], Level()
            found = self._found(snapshot, rows, asked, by, upper)
            for parent, members in groupby(found, key=lambda each: each.key[:-1]):
                highest = _highest(members, size, room)
                upper[parent]["buckets"] = [each.bucket for each in highest]
                level.update((each.key, each.bucket) for each in highest)
                if room is not None:
                    room -= len(highest)
                    self._check_room(room)
            upper = level
        return {**asked.bounds, **root.bucket}, root.rows

    def _found(
        self,
        snapshot: Snapshot,
        rows: Rows,
        asked: Asked,
        by: Sequence[str],
        parents: Mapping[Key, Any],
    ) -> Iterator[Found]:
        """Yield the buckets of a level, ascending by their values, one in memory at a time."""
        fields = self.config.aggregated_fields
        numbers_of = self._uniques(rows).along(snapshot.scan(asked.where, by), by)
        for group in self._groups(snapshot, rows, asked, by):
            if group.key[:-1] not in parents:
                continue
            bucket = {"key": group.key[-1]} if by else {}
            bucket |= self._numbers(self._tally(group))
            if group.count > 1:
                bucket |= numbers_of(group.key, group.count)
            if len(by) < len(fields):
                bucket |= _nested_by(fields[len(by)])
            yield Found(group.key, bucket, group.count)

    def _check_room(self, room: int) -> None:
        if room < 0:
            raise InvalidParameter(
                f"{self.name}: there are more buckets than one request gives; ask for the highest "
                "of them by 'size', give a filter, or a 'start_date' and 'end_date' that are "
                "closer together",
                parameter=SIZE.name,
            )


def _nested_by(field: str) -> dict[str, Any]:
    return {"type": "bucket", "field": field, "key_type": "terms", "buckets": []}


def _highest(found: Iterable[Found], size: int | None, room: int | None) -> list[Found]:
    """Return the first `size` buckets in their order; of more than there is room for, one more."""
    limits = [limit for limit in (size, None if room is None else room + 1) if limit is not None]
    if not limits:
        return sorted(found, key=_value_then_key)
    return nsmallest(min(limits), found, key=_value_then_key)


def _value_then_key(found: Found) -> tuple[bool, float, Any]:
    value = found.bucket["value"]
    return value is None, -(value or 0.0), found.bucket["key"]
