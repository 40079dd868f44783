"""Elasticsearch as the store, beside bulk and terms requests as one would write them by hand."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from benchmarks.measuring import Measured, run_chain, timed
from stats_pipeline.stores.elasticsearch.client import chunks_of_names
from stats_pipeline.stores.protocol import Document

VARIABLE = "STATS_TEST_ELASTICSEARCH_URL"
ENVIRONMENT_FILE = Path(__file__).parents[1] / ".services" / "env"

#: One answer holds all values of a day.
MOST_VALUES = 10_000

AGGREGATIONS: dict[str, Any] = {
    "values": {
        "terms": {"field": "unique_id", "size": MOST_VALUES},
        "aggs": {
            "visitors": {"cardinality": {"field": "visitor_id"}},
            "volume": {"sum": {"field": "size"}},
        },
    }
}


def url_of_server() -> str | None:
    """Return where the server for tests is, None where there is none."""
    if VARIABLE in os.environ or not ENVIRONMENT_FILE.exists():
        return os.environ.get(VARIABLE)
    lines = ENVIRONMENT_FILE.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines).get(VARIABLE)


@contextmanager
def own_prefix(url: str) -> Iterator[tuple[Elasticsearch, str]]:
    """Give a client and a prefix of indices; what has it is removed behind."""
    prefix = f"bench{secrets.token_hex(4)}-"
    with Elasticsearch(url, request_timeout=60) as api:
        try:
            yield api, prefix
        finally:
            api.indices.delete_index_template(name=f"{prefix}*")
            found = api.indices.get(index=f"{prefix}*", expand_wildcards="all")
            for chunk in chunks_of_names(list(found)):
                api.indices.delete(index=chunk)


def measure_elasticsearch(
    events: Sequence[dict[str, Any]], folder: Path, url: str
) -> Iterator[Measured]:
    """Measure the chain with the embedded queue, and remove all that it wrote."""
    with own_prefix(url) as (api, prefix):
        chain = run_chain(events, folder, STATS_STORE_URL=url, STATS_INDEX_PREFIX=prefix)
        writing, grouping, rows = _measure_bare(api, chain.documents, prefix)
    if rows != chain.rows:
        raise RuntimeError(f"{rows} rows by hand are {chain.rows} of ours: they can't be compared")
    yield Measured(
        "Elasticsearch: queue to store",
        "events",
        len(events),
        chain.indexing_seconds,
        "helpers.bulk of the same documents",
        writing * len(events) / len(chain.documents),
    )
    yield Measured(
        "Elasticsearch: update",
        "rows",
        chain.rows,
        chain.updating_seconds,
        "terms of each day, two in flight, and bulk",
        grouping,
    )


def _measure_bare(
    api: Elasticsearch, documents: Sequence[Document], prefix: str
) -> tuple[float, float, int]:
    """Return the seconds of writing the documents and of grouping them, and the rows found."""
    index = f"{prefix}bare"
    example = documents[0].index
    mappings = api.indices.get_mapping(index=example)[example]["mappings"]
    api.indices.create(index=index, mappings=mappings)
    actions = [{"_index": index, "_id": d.id, "_source": dict(d.body)} for d in documents]
    writing = timed(lambda: bulk(api, actions, chunk_size=2_000))
    api.indices.refresh(index=index)
    days = sorted({document.body["timestamp"][:10] for document in documents})

    def count(day: str) -> None:
        bulk(api, _rows_of(api, index, day), chunk_size=2_000)

    def count_all() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(count, days))

    grouping = timed(count_all)
    api.indices.refresh(index=f"{index}-rows")
    rows: int = api.count(index=f"{index}-rows")["count"]
    return writing, grouping, rows


def _rows_of(api: Elasticsearch, index: str, day: str) -> list[dict[str, Any]]:
    """Return the rows of a day as somebody would write them by hand, ready for a bulk."""
    people = {
        "bool": {
            "must_not": {"term": {"is_robot": True}},
            "filter": {"range": {"timestamp": {"gte": day, "lt": f"{day}||+1d"}}},
        }
    }
    answer = api.search(index=index, size=0, query=people, aggs=AGGREGATIONS)
    return [
        {
            "_index": f"{index}-rows",
            "_id": f"{day}-{bucket['key']}",
            "day": day,
            "unique_id": bucket["key"],
            "count": bucket["doc_count"],
            "visitors": bucket["visitors"]["value"],
            "volume": bucket["volume"]["value"],
        }
        for bucket in answer["aggregations"]["values"]["buckets"]
    ]
