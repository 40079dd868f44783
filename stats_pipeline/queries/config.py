"""The typed form of the ``query_config`` of the query classes that read rows, with its checks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from stats_pipeline.errors import DefinitionError, nearest
from stats_pipeline.fields import FILTERABLE, GROUPABLE
from stats_pipeline.queries.joining import KEY as ANNOTATIONS
from stats_pipeline.queries.parameters import RESERVED
from stats_pipeline.queries.reading import Rows
from stats_pipeline.queries.row_metrics import RowMetric, check_against_rows, parse_row_metrics

CopySource = str | Callable[[Mapping[str, Any]], Any]

#: What `query_config` may hold: key -> what its value must be, and how messages call that.
CONFIG_KEYS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "index": (str, "the alias of an aggregation's rows"),
    "aggregation": (str, "an aggregation's name"),
    "copy_fields": (Mapping, "a dict"),
    "required_filters": (Mapping, "a dict"),
    "optional_filters": (Mapping, "a dict"),
    "aggregated_fields": ((list, tuple), "a list"),
    "metric_fields": (Mapping, "a dict"),
    "annotations": (Mapping, "a dict"),
}

#: Keys that configurations of invenio-stats may still have -> what to do about them.
RETIRED_KEYS = {
    "doc_type": "indices have no document types any more; leave it out",
    "client": "the store is chosen by STATS_STORE_URL; leave it out",
}

#: Keys of an answer and of its buckets, which no metric or copied field may be called.
ANSWER_KEYS = frozenset(
    {"approximate", "as_of", "buckets", "date", "end_date", "field", "imported", "interval", "key"}
    | {"key_type", "start_date", "type"}
)


@dataclass(frozen=True, kw_only=True)
class QueryConfig:
    """Say which rows a query reads and what it makes of them.

    Attributes:
        index: alias of the rows without the index prefix, as ``stats-file-download``; or
        aggregation: the aggregation's name, as ``file-download-agg``.
        copy_fields: key of the answer -> row field, or a callable of the newest row.
        filters: parameter -> row field.
        required: the filters that the query does not run without.
        aggregated_fields: row fields to nest by.
        metrics: the numbers; always a ``value``.
        annotations: row field -> names of the facts about its values that answers have.
    """

    index: str | None = None
    aggregation: str | None = None
    copy_fields: Mapping[str, CopySource] = field(default_factory=dict)
    filters: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    aggregated_fields: tuple[str, ...] = ()
    metrics: tuple[RowMetric, ...] = ()
    annotations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def check_against(self, rows: Rows, *, owner: str) -> None:
        """Raise DefinitionError where it names a field that the rows lack or can't use so."""
        if not rows.types:
            return
        check_against_rows(self.metrics, rows, owner=owner)
        for target, source in self.copy_fields.items():
            if source in rows.sketches:
                raise DefinitionError(f"{owner}: copy_fields[{target!r}]: {source!r} is not shown")
        for name in self.filters.values():
            _check_type(name, rows, FILTERABLE, f"{owner}: rows can't be filtered by")
        for name in self.aggregated_fields:
            _check_type(name, rows, GROUPABLE, f"{owner}: rows can't be nested by")


def read_query_config(
    raw: Mapping[str, Any],
    *,
    owner: str,
    takes_aggregated_fields: bool,
    own_parameters: Collection[str] = (),
) -> QueryConfig:
    """Return the checked configuration; raise DefinitionError naming owner, key and what to do.

    Args:
        raw: the dict.
        owner: the query, for messages.
        takes_aggregated_fields: whether its answer is nested.
        own_parameters: names that its filters may not have.
    """
    _check_keys(raw, owner)
    required = dict(raw.get("required_filters") or {})
    config = QueryConfig(
        index=raw.get("index"),
        aggregation=raw.get("aggregation"),
        copy_fields=dict(raw.get("copy_fields") or {}),
        filters={**required, **(raw.get("optional_filters") or {})},
        required=tuple(required),
        aggregated_fields=tuple(raw.get("aggregated_fields") or ()),
        metrics=parse_row_metrics(raw.get("metric_fields"), owner=owner),
        annotations=_read_annotations(raw.get("annotations") or {}, owner),
    )
    if (config.index is None) == (config.aggregation is None):
        raise DefinitionError(f"{owner}: give one of 'index' and 'aggregation'")
    if config.aggregated_fields and not takes_aggregated_fields:
        raise DefinitionError(f"{owner}: only a TermsQuery takes 'aggregated_fields'")
    _check_fields(config, owner)
    _check_annotations(config, owner)
    _check_names(config, owner, RESERVED.union(own_parameters))
    return config


def _check_keys(raw: Mapping[str, Any], owner: str) -> None:
    for key, value in raw.items():
        if key in RETIRED_KEYS:
            raise DefinitionError(f"{owner}: {key!r}: {RETIRED_KEYS[key]}")
        if key not in CONFIG_KEYS:
            raise DefinitionError(
                f"{owner}: unknown key {key!r} in query_config{nearest(key, CONFIG_KEYS)}"
            )
        shape, expected = CONFIG_KEYS[key]
        if value is not None and not isinstance(value, shape):
            raise DefinitionError(f"{owner}: {key} must be {expected}, not {value!r}")


def _check_fields(config: QueryConfig, owner: str) -> None:
    for name, source in config.copy_fields.items():
        if not isinstance(source, str) and not callable(source):
            raise DefinitionError(
                f"{owner}: copy_fields[{name!r}] is a field's name or a callable, not {source!r}"
            )
    for field_name in (*config.filters.values(), *config.aggregated_fields):
        if not isinstance(field_name, str):
            raise DefinitionError(f"{owner}: {field_name!r} is not the name of a row field")


def _read_annotations(raw: Mapping[str, Any], owner: str) -> dict[str, tuple[str, ...]]:
    for name, facts in raw.items():
        is_list = isinstance(facts, list | tuple) and bool(facts)
        if not is_list or not all(isinstance(fact, str) for fact in facts):
            raise DefinitionError(
                f"{owner}: annotations[{name!r}] is a list of names of facts, not {facts!r}"
            )
    return {name: tuple(facts) for name, facts in raw.items()}


def _check_annotations(config: QueryConfig, owner: str) -> None:
    shown = {*config.aggregated_fields, *config.filters.values()}
    for name in config.annotations:
        if name not in shown:
            raise DefinitionError(
                f"{owner}: annotations: no answer shows a single {name!r}, since it is neither "
                f"nested by nor filtered by{nearest(name, shown)}"
            )


def _check_names(config: QueryConfig, owner: str, reserved: frozenset[str]) -> None:
    for name in sorted(reserved & config.filters.keys()):
        raise DefinitionError(f"{owner}: a filter can't be called {name!r}")
    metrics = {metric.name for metric in config.metrics}
    copied = config.copy_fields.keys()
    keys = ANSWER_KEYS | ({ANNOTATIONS} if config.annotations else set())
    for name in sorted((keys & (metrics | copied)) | (metrics & copied)):
        raise DefinitionError(f"{owner}: an answer would have two things called {name!r}")


def _check_type(name: str, rows: Rows, allowed: frozenset[str], what: str) -> None:
    if rows.types.get(name) not in allowed:
        known = [field for field, kind in rows.types.items() if kind in allowed]
        raise DefinitionError(f"{what} {name!r}{nearest(name, known)}")
