"""Mappings: what an index template may say of a field, judged alike for both stores.

SQLite looks at nothing but field types. What Elasticsearch would refuse, as a key that is written
wrongly, is therefore refused here, before either of them sees it. Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stats_pipeline.errors import DefinitionError, nearest
from stats_pipeline.fields import FIELD_TYPES

#: What Elasticsearch 8 and 9 take in the mapping of a field of one of `FIELD_TYPES`. Which of them
#: go together is left to it.
PARAMETERS = frozenset(
    {"analyzer", "coerce", "copy_to", "depth_limit", "doc_values", "dynamic"}
    | {"eager_global_ordinals", "enabled", "fielddata", "fielddata_frequency_filter", "fields"}
    | {"format", "ignore_above", "ignore_malformed", "index", "index_options", "index_phrases"}
    | {"index_prefixes", "locale", "meta", "normalizer", "norms", "null_value"}
    | {"on_script_error", "position_increment_gap", "properties", "script", "search_analyzer"}
    | {"search_quote_analyzer", "similarity", "split_queries_on_whitespace", "store"}
    | {"subobjects", "synthetic_source_keep", "term_vector", "time_series_dimension"}
    | {"time_series_dimensions", "time_series_metric", "type", "value"}
)

#: Where the body of a composable index template may hold which keys.
LEVELS: Mapping[tuple[str, ...], frozenset[str]] = {
    (): frozenset(
        {"_meta", "allow_auto_create", "composed_of", "data_stream", "deprecated"}
        | {"ignore_missing_component_templates", "index_patterns", "priority", "template"}
        | {"version"}
    ),
    ("template",): frozenset(
        {"aliases", "data_stream_options", "lifecycle", "mappings", "settings"}
    ),
    ("template", "mappings"): frozenset(
        {"_data_stream_timestamp", "_field_names", "_meta", "_routing", "_size", "_source"}
        | {"date_detection", "dynamic", "dynamic_date_formats", "dynamic_templates", "enabled"}
        | {"numeric_detection", "properties", "runtime", "subobjects"}
    ),
}

FieldMapping = Mapping[str, Any]


def unknown_key(body: Mapping[str, Any]) -> str:
    """Return what a message says of a key that no template has there, empty where all are known."""
    for place, known in LEVELS.items():
        level = body
        for name in place:
            level = level.get(name, {})
        for key in level:
            if key not in known:
                return f"unknown key {'.'.join((*place, key))!r}{nearest(key, known)}"
    return ""


def check_mapping(name: str, mapping: FieldMapping, *, owner: str) -> None:
    """Refuse a mapping without a type that we know, or with a key that Elasticsearch does not.

    Raises:
        DefinitionError: naming owner, field, and the nearest key or the types that there are.
    """
    _check_keys(name, mapping, owner)
    kind = mapping.get("type", "object" if _is_object(mapping) else None)
    if not isinstance(kind, str) or kind not in FIELD_TYPES:
        has = f"the type {kind!r}, which is not one" if "type" in mapping else "no type; give one"
        raise DefinitionError(
            f"{owner}: the field {name!r} has {has} of {', '.join(sorted(FIELD_TYPES))}"
        )


def in_our_form(mapping: FieldMapping) -> FieldMapping:
    """Return the mapping without the format of a date: dates are stored in one form, ours."""
    if mapping.get("type") != "date":
        return mapping
    kept = {key: value for key, value in mapping.items() if key != "format"}
    if "fields" in kept:  # which get the same value
        kept["fields"] = {name: in_our_form(each) for name, each in kept["fields"].items()}
    return kept


def _check_keys(name: str, mapping: object, owner: str) -> None:
    """Refuse an unknown key, also inside of an object; of types that we don't know, none."""
    if not isinstance(mapping, Mapping):
        raise DefinitionError(f"{owner}: the mapping of the field {name!r} is no dict: {mapping!r}")
    if mapping.get("type", "object") not in list(FIELD_TYPES):
        return
    for key in mapping:
        if key not in PARAMETERS:
            raise DefinitionError(
                f"{owner}: unknown key {key!r} in the mapping of the field {name!r}"
                f"{nearest(key, PARAMETERS)}"
            )
    for part in ("properties", "fields"):
        inner = mapping.get(part, {})
        if not isinstance(inner, Mapping):
            raise DefinitionError(f"{owner}: {part!r} of the field {name!r} is no dict: {inner!r}")
        for inner_name, each in inner.items():
            _check_keys(f"{name}.{inner_name}", each, owner)


def _is_object(mapping: FieldMapping) -> bool:
    """Tell whether Elasticsearch takes a mapping without a type for an object."""
    return "properties" in mapping or list(mapping) == ["enabled"]
