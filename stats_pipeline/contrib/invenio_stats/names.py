"""The names of invenio-stats (versions 1 to 7), and what they are called here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PREPROCESSORS = "stats_pipeline.events.preprocessors"

PROCESSOR_CLASSES: Mapping[str, str] = {"EventsIndexer": "stats_pipeline:EventsIndexer"}

AGGREGATOR_CLASSES: Mapping[str, str] = {"StatAggregator": "stats_pipeline:StatAggregator"}

QUERY_CLASSES: Mapping[str, str] = {
    "DateHistogramQuery": "stats_pipeline:DateHistogramQuery",
    "ESDateHistogramQuery": "stats_pipeline:DateHistogramQuery",
    "ESTermsQuery": "stats_pipeline:TermsQuery",
    "TermsQuery": "stats_pipeline:TermsQuery",
}

PREPROCESSORS: Mapping[str, str] = {
    name: f"{_PREPROCESSORS}:{name}"
    for name in (
        "anonymize_user",
        "build_file_unique_id",
        "build_record_unique_id",
        "flag_machines",
        "flag_robots",
    )
}

#: One of theirs also says who acted, which is a builder of its own here.
EVENT_BUILDERS: Mapping[str, tuple[str, ...]] = {
    "file_download_event_builder": (
        "stats_pipeline.contrib.file_download.builders:build_file_download",
        "stats_pipeline.events.user:add_user",
    ),
    "record_view_event_builder": (
        "stats_pipeline.contrib.record_view.builders:build_record_view",
        "stats_pipeline.events.user:add_user",
    ),
}

QUERY_MODIFIERS: Mapping[str, str] = {"filter_robots": "stats_pipeline.aggregations:exclude_robots"}

ALLOW_EVERYONE = "stats_pipeline.permissions:allow_everyone"
DENY_ALL = "stats_pipeline.permissions:deny_all"

#: Metrics of aggregations.
METRICS: Mapping[str, str] = {
    "avg": "mean",
    "cardinality": "unique",
    "max": "max",
    "min": "min",
    "sum": "sum",
}

#: Metrics of queries: unique counts of several rows can't be put together.
ROW_METRICS: Mapping[str, str] = {k: v for k, v in METRICS.items() if k != "cardinality"}

#: Options of a metric that have no meaning where counts are exact.
METRIC_OPTIONS = frozenset({"precision_threshold"})

#: The end of an event index's name, as strftime writes it -> index_interval.
SUFFIXES: Mapping[str, str] = {
    "%Y": "year",
    "%Y-%m": "month",
    "%Y.%m": "month",
    "%Y-%m-%d": "day",
    "%Y.%m.%d": "day",
    "%G-%V": "week",
    "%G-W%V": "week",
    "%Y-%V": "week",
    "%Y-%W": "week",
    "%Y.%W": "week",
}

INTERVALS = ("hour", "day", "month", "year")
INDEX_INTERVALS = ("day", "month", "year")

#: Event type -> package of the template that is shipped for it.
SHIPPED_TEMPLATES: Mapping[str, str] = {
    "file-download": "stats_pipeline.es_templates.file_download",
    "record-view": "stats_pipeline.es_templates.record_view",
}

#: Keys of an entry in the first version -> what they were called later.
FIRST_KEYS: Mapping[str, str] = {
    "aggregator_class": "cls",
    "aggregator_config": "params",
    "processor_class": "cls",
    "processor_config": "params",
    "query_class": "cls",
    "query_config": "params",
}

#: The same for the parameters of an aggregation.
FIRST_PARAMS: Mapping[str, str] = {
    "aggregation_field": "field",
    "aggregation_interval": "interval",
    "metric_aggregation_fields": "metric_fields",
}

#: Keys of the first version that repeat the name of their entry.
NAME_KEYS = frozenset({"aggregation_name", "event_type", "query_name"})

#: Dicts that configurations take from invenio-stats, as far as they mean something here.
DICTS: Mapping[str, Mapping[str, Any]] = {
    "invenio_stats.contrib.config.EVENTS_CONFIG": {
        "file-download": {"signal": "invenio_files_rest.signals.file_downloaded"},
        "record-view": {"signal": "invenio_records_ui.signals.record_viewed"},
    },
    "invenio_stats.contrib.config.AGGREGATIONS_CONFIG": {
        "file-download-agg": {},
        "record-view-agg": {},
    },
    "invenio_stats.contrib.config.QUERIES_CONFIG": {
        "bucket-file-download-histogram": {},
        "bucket-file-download-total": {},
    },
    "invenio_stats.tasks.StatsAggregationTask": {"task": "invenio_stats.tasks.aggregate_events"},
    "invenio_stats.tasks.StatsEventTask": {"task": "invenio_stats.tasks.process_events"},
}

_NOTHING_TO_DO = "Nothing is to be done"

#: Keys that mean nothing here -> why, and what to do.
RETIRED_KEYS: Mapping[str, tuple[str, str]] = {
    "batch_size": ("an update takes what is dirty, however many days", _NOTHING_TO_DO),
    "client": ("the store is chosen by STATS_STORE_URL", _NOTHING_TO_DO),
    "doc_type": ("indices have no document types any more", _NOTHING_TO_DO),
    "max_bucket_size": ("values are read in pages, however many there are", _NOTHING_TO_DO),
    "prefix": ("event indices are named events-stats-<event type>", _NOTHING_TO_DO),
    "queue": ("each event type has its queue", _NOTHING_TO_DO),
}

#: Settings that can't be taken over -> why, and what to do.
RETIRED_SETTINGS: Mapping[str, tuple[str, str]] = {
    "BROKER_URL": ("it is Celery's", "Say STATS_BROKER_URL if events are to go through RabbitMQ"),
    "CELERY_BROKER_URL": (
        "it is Celery's",
        "Say STATS_BROKER_URL if events are to go through RabbitMQ",
    ),
    "SEARCH_ELASTIC_HOSTS": (
        "the store is one address",
        "Say STATS_STORE_URL='http://...' of an Elasticsearch 8 or 9",
    ),
    "SEARCH_HOSTS": (
        "the store is one address",
        "Say STATS_STORE_URL='http://...' of an Elasticsearch 8 or 9",
    ),
    "STATS_EVENTS_UTC_DATETIME_ENABLED": ("all times are aware UTC", _NOTHING_TO_DO),
    "STATS_INDICES_PREFIX": (
        "event indices are named events-stats-<event type>",
        "Say STATS_INDEX_PREFIX for what is to stand before all names",
    ),
    "STATS_INDICES_SUFFIX": (
        "each event type has its own",
        "Say index_interval in its processor_config",
    ),
    "STATS_MQ_EXCHANGE": (
        "queues are durable and declared by us, without an exchange",
        _NOTHING_TO_DO,
    ),
    "STATS_REGISTER_INDEX_TEMPLATES": ("templates are always composable ones", _NOTHING_TO_DO),
}
