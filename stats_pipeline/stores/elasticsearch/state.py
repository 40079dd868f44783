"""State records: one small document each, changed by Elasticsearch's optimistic concurrency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from elasticsearch import ConflictError

from stats_pipeline.clock import format_time, parse_time
from stats_pipeline.errors import StoreRefused, StoreUnavailable
from stats_pipeline.model import Filter
from stats_pipeline.stores.elasticsearch import bulk, indices
from stats_pipeline.stores.elasticsearch.client import Client
from stats_pipeline.stores.elasticsearch.point_in_time import point_in_time
from stats_pipeline.stores.elasticsearch.query_dsl import to_query
from stats_pipeline.stores.protocol import Record, Verdict
from stats_pipeline.templates import IndexTemplate

#: Keys per request.
PAGE_KEYS = 1_000

_PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "kind": {"type": "keyword"},
    "key": {"type": "keyword"},
    "group": {"type": "keyword"},
    "time": {"type": "date"},
    "tags": {"type": "keyword"},
    "body": {"type": "object", "enabled": False},
}


class ElasticsearchState:
    """Keep state records in one index, which the first write creates (see `State`)."""

    def __init__(self, client: Client, *, index_prefix: str) -> None:
        self._client = client
        alias = f"{index_prefix}stats_pipeline-state"
        self._index = f"{alias}-1"
        self._template = IndexTemplate(alias, _PROPERTIES, {"number_of_shards": 1}, description={})
        self._is_created = False

    def get(self, kind: str, keys: Sequence[str]) -> list[Record | None]:
        """Return the records of these keys, in their order, None where there is none."""
        records: list[Record | None] = []
        for start in range(0, len(keys), PAGE_KEYS):
            ids = [_id(kind, key) for key in keys[start : start + PAGE_KEYS]]
            found = indices.documents(self._client, self._index, ids)
            records.extend(None if hit is None else _record(hit) for hit in found)
        return records

    def put(self, records: Sequence[Record]) -> None:
        """Write these records whatever was there before; durable when it returns."""
        self._bulk([self._encode(record) for record in records])

    def create(self, record: Record) -> bool:
        """Write the record if there is none of its kind and key; tell whether it was written."""
        return self._bulk([self._encode(record, op_type="create")])[0]

    def swap(self, records: Sequence[Record]) -> list[bool]:
        """Write each record if the stored one still has its version; tell which were written."""
        read = [record for record in records if record.version is not None]
        written = iter(self._bulk([self._encode(r, **_condition(r)) for r in read]))
        return [record.version is not None and next(written) for record in records]

    def delete(self, record: Record) -> bool:
        """Remove the record if the stored one still has its version; tell whether it was."""
        if record.version is None:
            return False
        number, term = record.version
        with self._client.api() as api:
            try:
                answer = api.options(ignore_status=404).delete(
                    index=self._index,
                    id=_id(record.kind, record.key),
                    if_seq_no=number,
                    if_primary_term=term,
                )
            except ConflictError:
                return False
        return bool(answer.get("result") == "deleted")

    def find(
        self,
        kind: str,
        *,
        group: str | None = None,
        lacking: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[Record]:
        """Yield records by time, then key, seeing every write that had returned before the call."""
        where = Filter().where("kind", include=[kind])
        if group is not None:
            where = where.where("group", include=[group])
        if lacking is not None:
            where = where.where("tags", exclude=[lacking])
        if start is not None or end is not None:
            where = where.between("time", start, end)
        indices.refresh(self._client, [self._index])
        query = to_query(where, self._template.types)
        with point_in_time(self._client, [self._index]) as moment:
            for hit in moment.hits(query, ["time", "key"], seq_no_primary_term=True):
                yield _record(hit)

    def expunge(self) -> None:
        """Rewrite every segment that holds a record which was written over or deleted.

        Elasticsearch keeps those of about the last minute, for replicas that catch up.
        """
        indices.expunge(self._client, self._index)

    def _encode(self, record: Record, **condition: Any) -> bytes:
        return bulk.encode_index(
            self._index, _id(record.kind, record.key), _body(record), **condition
        )

    def _bulk(self, encoded: Sequence[bytes]) -> list[bool]:
        """Return which operations were done; those that were not met another version."""
        self._create_index()
        results = bulk.send(self._client, encoded)
        for result in results:
            if result.verdict is Verdict.RETRY:
                raise StoreUnavailable(f"A state record was not written: {result.reason}")
            if result.verdict not in (Verdict.DONE, Verdict.DUPLICATE):
                raise StoreRefused(f"A state record was refused: {result.reason}")
        return [result.verdict is Verdict.DONE for result in results]

    def _create_index(self) -> None:
        if not self._is_created:
            # The template first: it keeps a write from creating the index again if it is deleted.
            indices.put_template(self._client, self._template)
            indices.create(self._client, self._index, self._template, aliased=False)
            self._is_created = True


def _id(kind: str, key: str) -> str:
    readable = f"{kind}:{key}"
    if len(readable.encode()) <= bulk.LONGEST_ID_BYTES:
        return readable
    return f"{kind}#{sha256(key.encode()).hexdigest()}"


def _condition(record: Record) -> dict[str, int]:
    number, term = record.version
    return {"if_seq_no": number, "if_primary_term": term}


def _body(record: Record) -> dict[str, Any]:
    return {
        "kind": record.kind,
        "key": record.key,
        "group": record.group,
        "time": None if record.time is None else format_time(record.time),
        "tags": sorted(record.tags),
        "body": dict(record.body),
    }


def _record(found: Mapping[str, Any]) -> Record:
    source = found["_source"]
    return Record(
        kind=source["kind"],
        key=source["key"],
        group=source["group"],
        time=None if source["time"] is None else parse_time(source["time"]),
        tags=frozenset(source["tags"]),
        body=source["body"],
        version=(found["_seq_no"], found["_primary_term"]),
    )
