"""Index templates of event types: those of the old packages converted, or drafts of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stats_pipeline.contrib.invenio_stats.entry import Entry
from stats_pipeline.contrib.invenio_stats.findings import Remark
from stats_pipeline.contrib.invenio_stats.names import SHIPPED_TEMPLATES
from stats_pipeline.contrib.invenio_stats.references import dotted_path, peer_name, shown

#: Where the old packages keep the templates of a version of the search engine, newest first.
VERSION_FOLDERS = ("os-v2", "os-v1", "v8", "v7")

#: Fields that every event may have here, in our own form; the last is bookkeeping of invenio-stats.
OUR_FIELDS = frozenset(
    {"country", "is_machine", "is_robot", "timestamp", "unique_id", "unique_session_id"}
    | {"visitor_id", "updated_timestamp"}
)

#: Fields that are gone before an event is stored.
RAW_FIELDS = frozenset({"ip_address", "session_id", "user_agent", "user_id"})

#: Mapping parameters that don't come along: dates have a form of ours, and with the others other
#: values are found than those that are stored, which is refused here.
LEFT_OUT = frozenset(
    {"copy_to", "doc_values", "format", "ignore_above", "index", "normalizer", "null_value"}
    | {"script", "value"}
)

#: Metrics of invenio-stats that need a number.
OF_NUMBERS = frozenset({"avg", "max", "min", "sum"})

Properties = dict[str, dict[str, Any]]


class EventTemplates:
    """Give the index templates of event types.

    Args:
        folder: where converted templates are to be written; None: nowhere.
        used: event type -> field -> its probable type, as aggregations use them.

    Attributes:
        bodies: event type -> template that is to be written into the folder.
    """

    def __init__(self, folder: Path | None, used: Mapping[str, Mapping[str, str]]) -> None:
        self.bodies: dict[str, dict[str, Any]] = {}
        self._folder = folder
        self._used = used

    def of(self, event_type: str, entry: Entry) -> str | Remark:
        """Return the package or folder of an event type's template."""
        source = entry.take("templates")
        shipped = SHIPPED_TEMPLATES.get(event_type) if peer_name(source) is not None else None
        properties = {} if shipped is None else _read_shipped(shipped, event_type)
        missing = self._used_beside(event_type, properties)
        if shipped is not None and not missing:
            return shipped
        if self._folder is None:
            return entry.lose(
                "templates",
                f"the templates of {shown(source)} have another form",
                "Run the command again with --templates FOLDER, which writes them in ours",
            )
        found = find_template(dotted_path(source) or "")
        settings = {} if found is None else found[1]
        properties |= {} if found is None else found[0]
        drafted = self._used_beside(event_type, properties)
        properties |= {name: {"type": kind} for name, kind in drafted.items()}
        self.bodies[event_type] = _body(event_type, properties, settings)
        if found is None:
            why = f"This draft holds only what aggregations use: {shown(source)} is not here"
            what_to_do = "Add the other fields of the events, and look at the types"
        else:
            why = (
                f"Converted from {shown(source)}, of which timestamps, raw fields, and parameters "
                "by which something else is found than what is stored, are left out"
            )
            what_to_do = "Look at it, move it into a package of yours and name that here"
        return entry.findings.doubt(entry.at("templates"), str(self._folder), why, what_to_do)

    def _used_beside(self, event_type: str, properties: Properties) -> dict[str, str]:
        known = OUR_FIELDS | properties.keys()
        return {n: k for n, k in self._used.get(event_type, {}).items() if n not in known}


def used_fields(params_of_aggregations: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return event type -> field -> probable type, for what aggregations use."""
    used: dict[str, dict[str, str]] = {}
    for params in params_of_aggregations:
        fields = used.setdefault(params["event"], {})
        for name, kind in _fields_of(params):
            if fields.get(name) != "double":
                fields[name] = kind
    return used


def find_template(source: str) -> tuple[Properties, Mapping[str, Any]] | None:
    """Return fields and settings of the template in a package or folder; None without one."""
    for folder in _folders(source):
        for base in [folder / version for version in VERSION_FOLDERS] + [folder]:
            for path in sorted(base.rglob("*.json")):
                return _convert(json.loads(path.read_text(encoding="utf-8")))
    return None


def _convert(body: Mapping[str, Any]) -> tuple[Properties, Mapping[str, Any]]:
    template = body.get("template", body)
    properties = {
        name: {key: value for key, value in mapping.items() if key not in LEFT_OUT}
        for name, mapping in template.get("mappings", {}).get("properties", {}).items()
        if name not in OUR_FIELDS | RAW_FIELDS
    }
    return properties, template.get("settings", {})


def _folders(source: str) -> list[Path]:
    if source and Path(source).is_dir():
        return [Path(source)]
    try:
        spec = find_spec(source)
    except Exception:  # noqa: BLE001 - the package around it is imported, and may raise anything
        return []
    locations = None if spec is None else spec.submodule_search_locations
    return [Path(location) for location in locations or ()]


def _read_shipped(package: str, event_type: str) -> Properties:
    text = files(package).joinpath(f"{event_type}.json").read_text(encoding="utf-8")
    properties: Properties = json.loads(text)["template"]["mappings"]["properties"]
    return properties


def _body(event_type: str, properties: Properties, settings: Mapping[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = {"settings": settings} if settings else {}
    template["mappings"] = {"properties": properties}
    description = {"description": f"Events of the type {event_type}, after the preprocessors"}
    return {"version": 1, "_meta": description, "template": template}


def _fields_of(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    field, copied = params.get("field"), params.get("copy_fields")
    if isinstance(field, str):
        yield field, "keyword"
    for source in copied.values() if isinstance(copied, Mapping) else ():
        if isinstance(source, str):
            yield source, "keyword"
    metrics = params.get("metric_fields")
    for metric in metrics.values() if isinstance(metrics, Mapping) else ():
        if isinstance(metric, list | tuple) and len(metric) > 1:
            yield metric[1], "double" if metric[0] in OF_NUMBERS else "keyword"
