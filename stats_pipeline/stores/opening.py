"""Open the store that a URL names: the only place that knows which stores there are."""

from __future__ import annotations

from stats_pipeline.stores.protocol import Store


def open_store(url: str, *, index_prefix: str = "") -> Store:
    """Return the store of this URL; nothing is connected or created yet."""
    if url.startswith("sqlite:"):
        from stats_pipeline.sqlite import database_path
        from stats_pipeline.stores.sqlite import SqliteStore

        return SqliteStore(database_path(url))
    from stats_pipeline.stores.elasticsearch import ElasticsearchStore

    return ElasticsearchStore(url, index_prefix=index_prefix)
