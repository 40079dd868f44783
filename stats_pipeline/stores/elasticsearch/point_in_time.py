"""Points in time: what several requests read as it was at one moment, completely or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from typing import Any

from elasticsearch import ApiError, Elasticsearch, NotFoundError

from stats_pipeline.errors import PartialResult, StoreError
from stats_pipeline.stores.elasticsearch.client import LONGEST_NAMES_BYTES, Client
from stats_pipeline.stores.elasticsearch.errors import PARTIAL, error_types
from stats_pipeline.stores.elasticsearch.presence import present
from stats_pipeline.stores.elasticsearch.query_dsl import Query

#: How long the reader may think between two requests; each request begins it anew.
KEEP_ALIVE = "5m"

#: Waits between tries to open one: an index that somebody makes at this moment (another thread of
#: an update, the worker that has the first event of a month) is there before its shards are.
UNREADABLE_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

#: Documents per request: some MB at most.
PAGE_DOCUMENTS = 1_000

Answer = Mapping[str, Any]
Hit = Mapping[str, Any]


class PointInTime:
    """Search some indices as they were when it was opened."""

    def __init__(self, client: Client, id_: str | None, target: str, names: Sequence[str]) -> None:
        self._client = client
        self._id = id_
        self._target = target
        self._names = names

    def field_types(self) -> dict[str, str]:
        """Return field name -> field type of the searched indices."""
        if self._id is None:
            return {}
        with self._client.api() as api:
            answer = api.field_caps(index=self._target, fields="*", filters="-metadata")
        return {name: next(iter(types)) for name, types in answer["fields"].items()}

    def search(self, query: Query, **options: Any) -> Answer:
        """Return the answer to one search; no indices answer like an empty one.

        Raises:
            PartialResult: the answer does not cover every shard.
        """
        if self._id is None:
            return {"hits": {"hits": [], "total": {"value": 0}}, "aggregations": {}}
        with self._client.api() as api:
            try:
                answer = api.search(
                    pit={"id": self._id, "keep_alive": KEEP_ALIVE},
                    query=self._restricted(query),
                    allow_partial_search_results=False,
                    **options,
                ).body
            except NotFoundError as error:
                raise PartialResult(
                    f"The data of {', '.join(self._names)} that Elasticsearch at "
                    f"{self._client.server} was being asked about is gone: an index was deleted, "
                    "or the reader took longer than five minutes for a page"
                ) from error
        shards = answer["_shards"]
        if answer["timed_out"] or answer.get("terminated_early") or shards["failed"]:
            raise PartialResult(
                f"Elasticsearch at {self._client.server} read only a part of the data of "
                f"{', '.join(self._names)}: {shards['failed']} of {shards['total']} shards failed, "
                f"timed out: {answer['timed_out']}"
            )
        # Elasticsearch may answer with another id, and then wants that one from there on.
        self._id = answer["pit_id"]
        result: Answer = answer
        return result

    def hits(self, query: Query, order_by: Sequence[str], **options: Any) -> Iterator[Hit]:
        """Yield every hit, ascending by these fields, missing values first; one page in memory."""
        sort: list[dict[str, Any]] = [ascending(field) for field in order_by]
        sort.append({"_shard_doc": "asc"})
        after: dict[str, Any] = {}
        while True:
            page = self.search(
                query, size=PAGE_DOCUMENTS, sort=sort, track_total_hits=False, **after, **options
            )["hits"]["hits"]
            yield from page
            if len(page) < PAGE_DOCUMENTS:
                return
            after = {"search_after": page[-1]["sort"]}

    def close(self) -> None:
        """Let the cluster forget it."""
        if self._id is not None:
            with self._client.api() as api:
                api.close_point_in_time(id=self._id)

    def _restricted(self, query: Query) -> Query:
        if not self._target.endswith("*"):
            return query
        return {"bool": {"filter": [query, {"terms": {"_index": list(self._names)}}]}}


@contextmanager
def point_in_time(client: Client, names: Sequence[str]) -> Iterator[PointInTime]:
    """Open a point in time of those of these indices or aliases that exist."""
    with client.api() as api:
        found = present(api, names)
        target = _target(found)
        opened = _open(api, target) if found else None
    moment = PointInTime(client, opened, target, found)
    try:
        yield moment
    finally:
        # One that can't be closed ends by itself, and must not hide the reader's own error.
        with suppress(StoreError):
            moment.close()


def ascending(field: str) -> dict[str, Any]:
    """Return the sort by a field, documents without it first; a field may be in no mapping."""
    return {field: {"order": "asc", "missing": "_first", "unmapped_type": "keyword"}}


def descending(field: str) -> dict[str, Any]:
    """Return the reverse of `ascending`."""
    return {field: {"order": "desc", "missing": "_last", "unmapped_type": "keyword"}}


def _open(api: Elasticsearch, target: str) -> str:
    for wait_seconds in (*UNREADABLE_SECONDS, None):
        try:
            # Strict on purpose: a closed index is an error here, not one without documents.
            opened = api.open_point_in_time(
                index=target, keep_alive=KEEP_ALIVE, expand_wildcards=["open", "closed"]
            )
            break
        except ApiError as error:
            if wait_seconds is None or PARTIAL not in error_types(error):
                raise
            time.sleep(wait_seconds)
    id_: str = opened["id"]
    return id_


def _target(names: Sequence[str]) -> str:
    joined = ",".join(names)
    if len(joined.encode()) <= LONGEST_NAMES_BYTES:
        return joined
    pairs = zip(min(names), max(names), strict=False)
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)) + "*"
