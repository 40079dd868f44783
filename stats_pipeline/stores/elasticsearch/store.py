"""The store on Elasticsearch: core features only, and every operation safe to repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stats_pipeline.stores.elasticsearch import bulk, indices
from stats_pipeline.stores.elasticsearch.client import Client
from stats_pipeline.stores.elasticsearch.point_in_time import point_in_time
from stats_pipeline.stores.elasticsearch.snapshot import ElasticsearchSnapshot
from stats_pipeline.stores.elasticsearch.state import ElasticsearchState
from stats_pipeline.stores.protocol import Document, ItemResult, Operation, State
from stats_pipeline.templates import IndexTemplate

#: Documents per request.
PAGE_IDS = 1_000


class ElasticsearchStore:
    """Keep documents and state in an Elasticsearch cluster (see `Store`).

    Args:
        url: the cluster's address, with user and password where it asks for them.
        index_prefix: stands before the name of the index of the state records.
    """

    state: State

    def __init__(self, url: str, *, index_prefix: str = "") -> None:
        self._client = Client(url)
        self.state = ElasticsearchState(self._client, index_prefix=index_prefix)

    def put_template(self, template: IndexTemplate) -> None:
        """Install or update a template and add its new fields to the indices of its alias."""
        indices.put_template(self._client, template)

    def create_index(self, name: str, template: IndexTemplate, *, aliased: bool) -> str:
        """Create the index if it is missing and return its UUID; two callers get the same one."""
        return indices.create(self._client, name, template, aliased=aliased)

    def index_uuids(self, names: Sequence[str]) -> dict[str, str]:
        """Return the UUIDs of those of these indices that exist."""
        return indices.uuids(self._client, names)

    def swap_alias(self, alias: str, *, add: Sequence[str], remove: Sequence[str]) -> None:
        """Move an alias from some indices to others in one step; readers never see neither."""
        indices.swap_alias(self._client, alias, add, remove)

    def delete_indices(self, names: Sequence[str]) -> None:
        """Delete these indices and their documents; missing ones are deleted already."""
        indices.delete(self._client, names)

    def bulk(self, operations: Sequence[Operation]) -> list[ItemResult]:
        """Do these operations and return one verdict for each, in order; never creates an index."""
        return bulk.write(self._client, operations)

    def get(self, index: str, ids: Sequence[str]) -> list[Document | None]:
        """Return documents by id, in order, seeing the last write (realtime)."""
        found: list[Document | None] = []
        for start in range(0, len(ids), PAGE_IDS):
            hits = indices.documents(self._client, index, ids[start : start + PAGE_IDS])
            found.extend(
                None
                if hit is None
                else Document(index, hit["_id"], hit["_source"], hit["_version"])
                for hit in hits
            )
        return found

    def refresh(self, names: Sequence[str]) -> None:
        """Make all that was written to these indices or aliases visible to new snapshots."""
        indices.refresh(self._client, names)

    @contextmanager
    def snapshot(self, names: Sequence[str]) -> Iterator[ElasticsearchSnapshot]:
        """Open a snapshot of these indices or aliases."""
        with point_in_time(self._client, names) as moment:
            yield ElasticsearchSnapshot(moment)

    def check(self) -> str:
        """Return one line about the cluster's health; raise where it can't work."""
        with self._client.api() as api:
            health = api.cluster.health()
        return (
            f"Elasticsearch at {self._client.server}: cluster {health['cluster_name']}, "
            f"{health['status']}, nodes: {health['number_of_nodes']}"
        )

    def close(self) -> None:
        """Let go of connections; the store may be used again and opens new ones."""
        self._client.close()
