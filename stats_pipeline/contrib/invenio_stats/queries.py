"""Translate `STATS_QUERIES`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stats_pipeline.contrib.invenio_stats import names
from stats_pipeline.contrib.invenio_stats.aggregations import copied_fields, translate_metric
from stats_pipeline.contrib.invenio_stats.entry import Entry
from stats_pipeline.contrib.invenio_stats.findings import Remark
from stats_pipeline.contrib.invenio_stats.references import peer_name, shown

#: Keys whose values are the same here.
SAME_KEYS = ("required_filters", "aggregated_fields")

TIME_FIELD = "timestamp"


@dataclass(frozen=True, slots=True)
class OldRows:
    """Know where the rows of the old aggregations were: one index for each *event type*.

    Attributes:
        prefix: of all indices.
        fillers: event type -> the aggregations of it.
    """

    prefix: str
    fillers: Mapping[str, Sequence[str]]


def translate_query(
    entry: Entry, rows: OldRows, default_permission: Any, *, is_shipped: bool
) -> dict[str, Any] | Remark:
    """Return the registration of a query, or what it changes in a shipped one.

    A remark where it can be neither.

    Args:
        entry: of `STATS_QUERIES`.
        rows: where it read.
        default_permission: the value of `STATS_PERMISSION_FACTORY`.
        is_shipped: whether a query of that name is shipped here.
    """
    if not entry.has("cls"):
        if is_shipped:
            return _overrides(entry, rows, default_permission)
        why = "It names no class, so that it was registered by an entry point"
        return entry.lose("cls", why, "Register it by one of the group stats_pipeline.queries")
    query_class = entry.one("cls", entry.take("cls"), names.QUERY_CLASSES)
    if isinstance(query_class, Remark):
        return query_class
    is_ours = query_class in names.QUERY_CLASSES.values()
    params = entry.nested("params")
    config = _query_config(params, rows) if is_ours else _own_config(params)
    translated = {
        "replaces": True,
        "query_class": query_class,
        "query_config": config,
        "permission": _permission(entry, default_permission),
    }
    return translated | entry.rest()


def _overrides(entry: Entry, rows: OldRows, default_permission: Any) -> dict[str, Any]:
    overrides: dict[str, Any] = {}
    if entry.has("params"):
        params = entry.nested("params")
        overrides["query_config"] = _query_config(params, rows, is_override=True)
    if default_permission is not None or entry.look("permission_factory") is not None:
        overrides["permission"] = _permission(entry, default_permission)
    return overrides | entry.rest()


def _query_config(params: Entry, rows: OldRows, *, is_override: bool = False) -> dict[str, Any]:
    config = {} if is_override and not params.has("index") else _rows_of(params, rows)
    if params.has("copy_fields"):
        config["copy_fields"] = copied_fields(params, "the newest row")
    for key in SAME_KEYS:
        if params.has(key):
            config[key] = params.plain(key)
    if params.has("metric_fields"):
        metrics = params.nested("metric_fields")
        config["metric_fields"] = {
            name: translate_metric(metrics, name, metrics.take(name), names.ROW_METRICS)
            for name in metrics.left()
        } | metrics.rest()
    if params.has("time_field"):
        time_field = params.take("time_field")
        if time_field != TIME_FIELD:
            config["time_field"] = params.lose(
                "time_field", f"rows have their time in {TIME_FIELD!r}", "Aggregate by it instead"
            )
    modifiers = params.take("query_modifiers")
    if modifiers:
        config["query_modifiers"] = params.lose(
            "query_modifiers",
            f"{shown(modifiers)} changes a search of Elasticsearch; without it the answer covers "
            "more rows than before",
            "Use optional_filters, an aggregation of its own, or a query class of your own",
        )
    return config | params.rest()


def _rows_of(params: Entry, rows: OldRows) -> dict[str, Any]:
    index = params.take("index")
    if not isinstance(index, str):
        what_to_do = "Say aggregation: the name of one"
        return {"index": params.lose("index", f"{shown(index)} is not a name", what_to_do)}
    index = index.removeprefix(rows.prefix)
    fillers = rows.fillers.get(index.removeprefix("stats-"), ())
    if not fillers:
        why = "No aggregation of this configuration counts the events of that name"
        return {"index": params.findings.doubt(params.at("index"), index, why, "Register one")}
    if len(fillers) == 1:
        return {"aggregation": fillers[0]}
    why = f"{', '.join(fillers)} wrote into this index together; each has its own now"
    checked = params.findings.doubt(params.at("index"), fillers[0], why, "Choose one of them")
    return {"aggregation": checked}


def _own_config(params: Entry) -> dict[str, Any]:
    """Return the arguments of a query class of the host's own, as far as they are plain values."""
    return {key: params.plain(key) for key in params.left()} | params.rest()


def _permission(entry: Entry, default: Any) -> Remark:
    factory = entry.take("permission_factory")
    factory = default if factory is None else factory
    key = "permission_factory"
    if factory is None or peer_name(factory) == "default_permission_factory":
        return entry.findings.doubt(
            entry.at(key),
            names.ALLOW_EVERYONE,
            "No permission was said: everybody may ask, as before",
            "Say stats_pipeline.permissions:authenticated, or a function of yours, if not",
        )
    # A permission object is true whether it allows or not, so the old factory must not stand here.
    remark = entry.lose(
        key,
        f"{shown(factory)} returns a permission object, and a bool is wanted; nobody may ask until "
        "then",
        "Write def may_ask(query_name, params): return factory(query_name, params).can(), and name "
        "it here",
    )
    return Remark(remark.text, names.DENY_ALL)
