"""The store on an Elasticsearch cluster, version 8 or 9."""

from stats_pipeline.stores.elasticsearch.store import ElasticsearchStore

__all__ = ["ElasticsearchStore"]
