"""Groups of documents and their metrics, by composite aggregations.

Sums and extremes are doubles in Elasticsearch: whole numbers above 2^53 come out rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from stats_pipeline.clock import EPOCH, format_time
from stats_pipeline.fields import WHOLE_NUMBERS
from stats_pipeline.metrics import Count, First, Last, Max, Mean, Metric, Min, Sum
from stats_pipeline.model import Filter
from stats_pipeline.stores.elasticsearch.point_in_time import PointInTime, ascending, descending
from stats_pipeline.stores.elasticsearch.query_dsl import Query, to_query
from stats_pipeline.stores.protocol import Group

#: Groups per request. Each page reads all matching documents again, so few and large pages.
PAGE_GROUPS = 5_000

#: With whole documents inside, of some KB each.
PAGE_GROUPS_WITH_DOCUMENTS = 1_000

#: Of one answer, a little below what servers allow (65,535); a filtered metric is a bucket, too.
PAGE_BUCKETS = 60_000

Bucket = Mapping[str, Any]


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
        if not self.by:
            yield self._whole(moment, query)
            return
        most = PAGE_GROUPS_WITH_DOCUMENTS if self._has_documents else PAGE_GROUPS
        size = min(most, PAGE_BUCKETS // (1 + len(self.metrics)))
        composite: dict[str, Any] = {
            "size": size,
            "sources": [{str(i): {"terms": {"field": name}}} for i, name in enumerate(self.by)],
        }
        while True:
            answer = moment.search(
                query,
                size=0,
                track_total_hits=False,
                aggregations={"groups": {"composite": composite, "aggregations": self._inner}},
            )
            page = answer["aggregations"].get("groups", {"buckets": []})
            for bucket in page["buckets"]:
                yield self._group(self._key(bucket["key"]), bucket["doc_count"], bucket)
            if len(page["buckets"]) < size:
                return
            composite["after"] = page["after_key"]

    @property
    def _has_documents(self) -> bool:
        return bool(self.newest_by) or any(
            isinstance(metric, First | Last) for metric in self.metrics.values()
        )

    @property
    def _inner(self) -> dict[str, Any]:
        # Numbered, since names of aggregations may not hold all that names of metrics may.
        inner = {
            str(i): _filtered(metric, self.types)
            for i, metric in enumerate(self.metrics.values())
            if metric != Count()
        }
        if self.newest_by:
            inner["newest"] = _top_document([descending(field) for field in self.newest_by], True)
        return inner

    def _whole(self, moment: PointInTime, query: Query) -> Group:
        answer = moment.search(query, size=0, track_total_hits=True, aggregations=self._inner)
        count = answer["hits"]["total"]["value"]
        return self._group((), count, answer.get("aggregations", {}))

    def _key(self, key: Mapping[str, Any]) -> tuple[Any, ...]:
        values = (key[str(i)] for i in range(len(self.by)))
        return tuple(
            _time_text(value) if self.types.get(name) == "date" else value
            for name, value in zip(self.by, values, strict=True)
        )

    def _group(self, key: tuple[Any, ...], count: int, bucket: Bucket) -> Group:
        values = {
            name: count if metric == Count() else _value(metric, bucket.get(str(i)), self.types)
            for i, (name, metric) in enumerate(self.metrics.items())
        }
        return Group(key, count, values, _top_source(bucket.get("newest")))


def _filtered(metric: Metric, types: Mapping[str, str]) -> dict[str, Any]:
    kept = {"match_all": {}} if metric.where is None else to_query(Filter((metric.where,)), types)
    if isinstance(metric, Count):
        return {"filter": kept}
    return {"filter": kept, "aggregations": {"value": _aggregation(metric)}}


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
    if isinstance(metric, Mean):
        return number
    if number is None:
        return 0 if isinstance(metric, Sum) else None
    return _read_number(types.get(metric.field, "long"))(number)


def _read_number(type_: str) -> Callable[[float], Any]:
    if type_ == "date":
        return _time_text
    return int if type_ in WHOLE_NUMBERS else float


def _time_text(epoch_milliseconds: float) -> str:
    return format_time(EPOCH + timedelta(milliseconds=epoch_milliseconds))
