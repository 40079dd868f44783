"""Composite aggregations: the combinations of some fields' values, ascending, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stats_pipeline.stores.elasticsearch.point_in_time import PointInTime
from stats_pipeline.stores.elasticsearch.query_dsl import Query

Bucket = Mapping[str, Any]
Page = Mapping[str, Any]

_NO_PAGE: Page = {"buckets": []}


@dataclass(frozen=True)
class Composite:
    """Be a composite aggregation.

    Attributes:
        fields: whose values are combined; documents that lack one of them are in no bucket.
        size: buckets of a page.
        inner: the aggregations within a bucket.
        where: which of the query's documents; None: all of them.
    """

    fields: Sequence[str]
    size: int
    inner: Mapping[str, Any] = field(default_factory=dict)
    where: Query | None = None

    def page(self, after: Any = None) -> dict[str, Any]:
        """Return the request for the page after this key, or for the first one."""
        sources = [{str(i): {"terms": {"field": name}}} for i, name in enumerate(self.fields)]
        composite: dict[str, Any] = {"size": self.size, "sources": sources}
        if after is not None:
            composite["after"] = after
        request = {"composite": composite, "aggregations": self.inner}
        if self.where is None:
            return request
        return {"filter": self.where, "aggregations": {"kept": request}}


def read_together(
    moment: PointInTime, query: Query, composites: Sequence[Composite]
) -> list[Iterator[Bucket]]:
    """Return the buckets of each; one search reads the documents for all their first pages."""
    pages = _search(moment, query, [composite.page() for composite in composites])
    return [
        _buckets(moment, query, composite, page)
        for composite, page in zip(composites, pages, strict=True)
    ]


def _buckets(
    moment: PointInTime, query: Query, composite: Composite, page: Page
) -> Iterator[Bucket]:
    while True:
        yield from page["buckets"]
        if len(page["buckets"]) < composite.size:
            return
        request = composite.page(page["after_key"])
        page = _NO_PAGE  # Let go of it before the next one comes.
        (page,) = _search(moment, query, [request])


def _search(moment: PointInTime, query: Query, requests: Sequence[dict[str, Any]]) -> list[Page]:
    asked = {str(i): request for i, request in enumerate(requests)}
    answer = moment.search(query, size=0, track_total_hits=False, aggregations=asked)
    found = [answer["aggregations"].get(name, _NO_PAGE) for name in asked]
    return [page.get("kept", page) for page in found]
