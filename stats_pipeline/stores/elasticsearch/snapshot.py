"""Snapshots: documents, counts and groups as they were at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from stats_pipeline.metrics import Metric
from stats_pipeline.model import Filter
from stats_pipeline.stores.elasticsearch.groups import Grouping
from stats_pipeline.stores.elasticsearch.point_in_time import PointInTime
from stats_pipeline.stores.elasticsearch.query_dsl import to_query
from stats_pipeline.stores.protocol import Document, Group


class ElasticsearchSnapshot:
    """Read the documents of some indices at one point in time (see `Snapshot`)."""

    def __init__(self, moment: PointInTime) -> None:
        self._moment = moment

    def count(self, where: Filter) -> int:
        """Return how many documents the filter keeps."""
        answer = self._moment.search(to_query(where, self._types), size=0, track_total_hits=True)
        total: int = answer["hits"]["total"]["value"]
        return total

    def scan(self, where: Filter, order_by: Sequence[str]) -> Iterator[Document]:
        """Yield the documents that the filter keeps, ascending by these fields (nulls first)."""
        for hit in self._moment.hits(to_query(where, self._types), order_by, version=True):
            yield Document(hit["_index"], hit["_id"], hit["_source"], hit["_version"])

    def groups(
        self,
        where: Filter,
        by: Sequence[str],
        metrics: Mapping[str, Metric],
        *,
        newest_by: Sequence[str] = (),
    ) -> Iterator[Group]:
        """Yield one group per combination of values of `by`, ascending (see `Snapshot.groups`)."""
        grouping = Grouping(by, metrics, newest_by, self._types)
        return grouping.read(self._moment, to_query(where, self._types))

    @cached_property
    def _types(self) -> Mapping[str, str]:
        # Read from the cluster, since another process may have made the indices.
        return self._moment.field_types()
