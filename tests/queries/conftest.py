"""A store with rows, as the aggregations leave them, on both kinds of stores."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.stores.elasticsearch.store import ElasticsearchStore
from stats_pipeline.stores.protocol import Store
from stats_pipeline.stores.sqlite.store import SqliteStore
from tests.queries.rows import RowsOfDownloads


@pytest.fixture(params=["sqlite", pytest.param("elasticsearch", marks=pytest.mark.servers)])
def store(request: pytest.FixtureRequest, tmp_path: Path, index_prefix: str) -> Iterator[Store]:
    """Give an empty store of each kind; what the test wrote under its prefix is gone after it."""
    store: Store
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "stats.db")
    else:
        store = ElasticsearchStore(request.getfixturevalue("elasticsearch_url"))
    yield store
    store.delete_indices([f"{index_prefix}stats-file-download-all"])
    store.close()


@pytest.fixture
def downloads(store: Store, index_prefix: str) -> RowsOfDownloads:
    """Give the writer and reader of rows of downloads, in the store of the test."""
    return RowsOfDownloads(store, index_prefix)


@pytest.fixture
def e004(downloads: RowsOfDownloads) -> RowsOfDownloads:
    """Give the rows of the worked example E004."""
    rows: list[dict[str, Any]] = [
        {"timestamp": "2016-12-18", "file_id": "f-1", "file_key": "file1.txt", "count": 4},
        {"timestamp": "2016-12-18", "file_id": "f-2", "file_key": "file2.txt", "count": 1},
        {"timestamp": "2016-12-19", "file_id": "f-1", "file_key": "file1.txt", "count": 1},
    ]
    downloads.write(*({"bucket_id": "20", **row} for row in rows))
    return downloads
