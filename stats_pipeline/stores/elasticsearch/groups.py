"""Groups of documents and their metrics, by composite aggregations.

Sums and extremes are doubles in Elasticsearch: whole numbers above 2^53 come out rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from stats_pipeline.clock import EPOCH, format_time
from stats_pipeline.fields import LARGEST, WHOLE_NUMBERS
from stats_pipeline.metrics import Count, First, Last, Max, Mean, Metric, Min, Sum, Unique
from stats_pipeline.sketches import count_and_sketch
from stats_pipeline.stores.elasticsearch.composites import Bucket, Composite, read_together
from stats_pipeline.stores.elasticsearch.point_in_time import PointInTime, ascending, descending
from stats_pipeline.stores.elasticsearch.query_dsl import Query, to_query
from stats_pipeline.stores.protocol import Distinct, Group

#: Groups per page. Each page reads all matching documents again, so few and large ones, of which
#: none takes more than some 30 MB here.
PAGE_GROUPS = 20_000

#: Values of single documents in a page (`First`, `Last`), and whole documents of some KB each.
PAGE_VALUES = 10_000
PAGE_DOCUMENTS = 2_000

#: Of one answer, a little below what servers allow (65,535); a filtered metric is a bucket, too.
PAGE_BUCKETS = 60_000

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Grouping:
    """Say which groups are asked for.

    Attributes:
        by: the fields to group by.
        metrics: name -> what to compute for each group.
        newest_by: gives each group its newest document: the last one by these fields.
        types: field name -> field type, as in the mapping.
    """

    by: Sequence[str]
    metrics: Mapping[str, Metric]
    newest_by: Sequence[str]
    types: Mapping[str, str]

    def read(self, moment: PointInTime, query: Query) -> Iterator[Group]:
        """Yield the groups of the documents that the query keeps, ascending."""
        uniques = {name: m for name, m in self.metrics.items() if isinstance(m, Unique)}
        buckets, *values = self._read(moment, query, list(uniques.values()))
        lookups = {
            name: _Lookup(self._distinct(metric, each))
            for (name, metric), each in zip(uniques.items(), values, strict=True)
        }
        key_of = self._key_reader(self.by)
        for bucket in buckets:
            key = key_of(bucket)
            yield self._group(key, bucket, {n: one.value_of(key) for n, one in lookups.items()})

    def _read(
        self, moment: PointInTime, query: Query, uniques: Sequence[Unique]
    ) -> list[Iterator[Bucket]]:
        """Return the groups, and for each unique its values in each group, in the same order."""
        most = min(PAGE_GROUPS, PAGE_BUCKETS // (1 + len(self.metrics)))
        values = [Composite([*self.by, m.field], most, where=self._kept(m)) for m in uniques]
        if self.by:
            groups = Composite(self.by, min(most, self._most_with_hits), self._inner)
            return read_together(moment, query, [groups, *values])
        whole = self._whole(moment, query)
        return [iter([whole]), *(read_together(moment, query, values) if values else ())]

    @property
    def _most_with_hits(self) -> int:
        hits = sum(isinstance(metric, First | Last) for metric in self.metrics.values())
        most = PAGE_VALUES // hits if hits else PAGE_GROUPS
        return min(most, PAGE_DOCUMENTS) if self.newest_by else most

    @property
    def _inner(self) -> dict[str, Any]:
        # Numbered, since names of aggregations may not hold all that names of metrics may.
        inner = {
            str(i): self._filtered(metric)
            for i, metric in enumerate(self.metrics.values())
            if metric != Count() and not isinstance(metric, Unique)
        }
        if self.newest_by:
            inner["newest"] = _top_document([descending(field) for field in self.newest_by], True)
        return inner

    def _whole(self, moment: PointInTime, query: Query) -> Bucket:
        answer = moment.search(query, size=0, track_total_hits=True, aggregations=self._inner)
        count = answer["hits"]["total"]["value"]
        return {**answer.get("aggregations", {}), "key": {}, "doc_count": count}

    def _distinct(
        self, metric: Unique, buckets: Iterator[Bucket]
    ) -> Iterator[tuple[Key, Distinct]]:
        keys = map(self._key_reader([*self.by, metric.field]), buckets)
        for key, members in groupby(keys, key=lambda key: key[:-1]):
            yield key, count_and_sketch(member[-1] for member in members)

    def _key_reader(self, fields: Sequence[str]) -> Callable[[Bucket], Key]:
        """Return what reads the values of these fields from a bucket: once for each visitor."""
        places = [str(number) for number in range(len(fields))]
        dates = [number for number, name in enumerate(fields) if self.types.get(name) == "date"]

        def read(bucket: Bucket) -> Key:
            values = bucket["key"]
            key = [values[place] for place in places]
            for number in dates:
                key[number] = _time_text(key[number])
            return tuple(key)

        return read

    def _group(self, key: Key, bucket: Bucket, distinct: Mapping[str, Distinct]) -> Group:
        count = bucket["doc_count"]
        values = {
            name: distinct.get(name)
            or (count if metric == Count() else _value(metric, bucket.get(str(i)), self.types))
            for i, (name, metric) in enumerate(self.metrics.items())
        }
        return Group(key, count, values, _top_source(bucket.get("newest")))

    def _filtered(self, metric: Metric) -> dict[str, Any]:
        kept = self._kept(metric) or {"match_all": {}}
        if isinstance(metric, Count):
            return {"filter": kept}
        return {"filter": kept, "aggregations": {"value": _aggregation(metric)}}

    def _kept(self, metric: Metric) -> Query | None:
        return to_query(metric.filter, self.types) if metric.filter.clauses else None


class _Lookup:
    """Follow a stream of (key, distinct values) along another one in the same order of keys."""

    def __init__(self, pairs: Iterator[tuple[Key, Distinct]]) -> None:
        self._pairs = pairs
        self._next = next(pairs, None)

    def value_of(self, key: Key) -> Distinct:
        """Return what the stream has for this key; where it has nothing, 0 and no sketch."""
        if self._next is None or self._next[0] != key:
            return 0, None
        value = self._next[1]
        self._next = next(self._pairs, None)
        return value


def _aggregation(metric: Metric) -> dict[str, Any]:
    match metric:
        case Sum() | Min() | Max():
            return {type(metric).__name__.lower(): {"field": metric.field}}
        case Mean():
            return {"avg": {"field": metric.field}}
        case First():
            return _top_document([ascending("timestamp"), ascending("event_id")], [metric.field])
        case Last():
            return _top_document([descending("timestamp"), descending("event_id")], [metric.field])
        case _:
            raise TypeError(f"stores don't compute {metric!r}")


def _top_document(sort: list[dict[str, Any]], source: bool | list[str]) -> dict[str, Any]:
    return {"top_hits": {"size": 1, "sort": sort, "_source": source}}


def _top_source(top: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    hits = top["hits"]["hits"] if top else []
    source: Mapping[str, Any] | None = hits[0]["_source"] if hits else None
    return source


def _value(metric: Metric, found: Bucket | None, types: Mapping[str, str]) -> Any:
    if isinstance(metric, Count):
        return found["doc_count"] if found else 0
    inner = found["value"] if found else {}
    if isinstance(metric, First | Last):
        return (_top_source(inner) or {}).get(metric.field)
    number = inner.get("value")
    if number is None:
        return 0 if isinstance(metric, Sum) else None
    if isinstance(metric, Mean):
        return float(number)  # infinity is text
    field_type = types.get(metric.field, "long")
    value = _read_number(field_type)(number)
    # As a double, the largest whole number comes out as one more.
    is_extreme = isinstance(metric, Min | Max) and field_type in WHOLE_NUMBERS
    return min(value, LARGEST[field_type]) if is_extreme else value


def _read_number(type_: str) -> Callable[[float], Any]:
    if type_ == "date":
        return _time_text
    return int if type_ in WHOLE_NUMBERS else float


def _time_text(epoch_milliseconds: float) -> str:
    return format_time(EPOCH + timedelta(milliseconds=epoch_milliseconds))
