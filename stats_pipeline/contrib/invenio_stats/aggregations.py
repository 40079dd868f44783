"""Translate `STATS_AGGREGATIONS`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stats_pipeline.contrib.invenio_stats import names
from stats_pipeline.contrib.invenio_stats.entry import Entry
from stats_pipeline.contrib.invenio_stats.findings import Remark
from stats_pipeline.contrib.invenio_stats.references import peer_name, shown


def translate_aggregation(entry: Entry) -> dict[str, Any]:
    """Return the registration of an aggregation, with remarks on what it lacks."""
    translated: dict[str, Any] = {}
    if entry.has("templates") or entry.has("cls"):
        entry.take("templates")
        # The fields of rows follow from those of the events.
        translated = {"replaces": True, "templates": ""}
    if entry.has("cls"):
        aggregator = entry.one("cls", entry.take("cls"), names.AGGREGATOR_CLASSES)
        translated["aggregator_class"] = aggregator
    if entry.has("params"):
        params = entry.nested("params", first_names=names.FIRST_PARAMS)
        translated["aggregator_config"] = _aggregator_config(params)
    return translated | entry.rest()


def translate_metric(
    entry: Entry, key: str, metric: Any, known: Mapping[str, str]
) -> tuple[str, str] | Remark:
    """Return a metric in its short form; options that change the number are noted."""
    kind, field, options = None, None, {}
    if isinstance(metric, list | tuple) and len(metric) in (2, 3):
        kind, field, options = (*metric, {})[:3]
    if not isinstance(kind, str) or kind not in known or not isinstance(field, str):
        what_to_do = f"Use one of {', '.join(sorted(set(known.values())))}"
        return entry.lose(key, f"{metric!r} is a metric that is not there", what_to_do)
    more = sorted(set(options or {}) - names.METRIC_OPTIONS)
    if more:
        return entry.lose(
            key, f"{metric!r}: the options {', '.join(more)} are not there", "Do without them"
        )
    return known[kind], field


def copied_fields(entry: Entry, arguments: str) -> dict[str, str | Remark]:
    """Return the copied fields that are names; a callable gets other arguments now.

    Args:
        entry: whose `copy_fields` is read.
        arguments: what a callable is given here, for the note.
    """
    fields = entry.nested("copy_fields")
    copied: dict[str, str | Remark] = {}
    for target in fields.left():
        source = fields.take(target)
        copied[target] = (
            source
            if isinstance(source, str)
            else fields.lose(
                target,
                f"{shown(source)} was given two arguments",
                f"Write a function of one, {arguments}, import it and name it here",
            )
        )
    return copied | fields.rest()


def _aggregator_config(params: Entry) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for old, new in (("event", "event"), ("field", "aggregation_field")):
        if params.has(old):
            config[new] = params.plain(old)
    for old, new, allowed in (
        ("interval", "aggregation_interval", names.INTERVALS),
        ("index_interval", "index_interval", names.INDEX_INTERVALS),
    ):
        if params.has(old):
            config[new] = _interval(params, old, allowed)
    if params.is_of_first_version and "aggregation_interval" not in config:
        config["aggregation_interval"] = params.findings.doubt(
            params.at("interval"), "month", "None was said, which meant a month", "Say day if not"
        )
    if params.has("copy_fields"):
        config["copy_fields"] = copied_fields(params, "the newest event")
    if params.has("metric_fields"):
        metrics = params.nested("metric_fields")
        config["metrics"] = {
            name: translate_metric(metrics, name, metrics.take(name), names.METRICS)
            for name in metrics.left()
        } | metrics.rest()
    if params.has("query_modifiers"):
        config["query_modifiers"] = _modifiers(params)
    return config | params.rest()


def _interval(params: Entry, key: str, allowed: tuple[str, ...]) -> str | Remark:
    interval = params.take(key)
    if interval in allowed:
        return str(interval)
    return params.lose(key, f"{shown(interval)} is not there", f"Say {', '.join(allowed)}")


def _modifiers(params: Entry) -> list[str | Remark] | Remark:
    values = params.take("query_modifiers")
    if values is None:
        return [names.QUERY_MODIFIERS["filter_robots"]]
    if not isinstance(values, list | tuple):
        return params.lose("query_modifiers", f"{shown(values)} is not a list", "Write a list")
    found: list[str | Remark] = []
    for value in values:
        known = names.QUERY_MODIFIERS.get(peer_name(value) or "")
        found.append(
            known
            or params.lose(
                "query_modifiers",
                f"{shown(value)} changes a search of Elasticsearch; until it is replaced, events "
                "count that did not count before",
                "Write a function of a stats_pipeline.Filter that returns one, as "
                "filter.where('via_api', include=[False])",
            )
        )
    return found
