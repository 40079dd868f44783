"""Translate a whole configuration of invenio-stats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask

from stats_pipeline.contrib.invenio_stats import names
from stats_pipeline.contrib.invenio_stats.aggregations import translate_aggregation
from stats_pipeline.contrib.invenio_stats.entry import UNKNOWN_DICT, Entry, later_names, resolve
from stats_pipeline.contrib.invenio_stats.event_templates import EventTemplates, used_fields
from stats_pipeline.contrib.invenio_stats.events import translate_event
from stats_pipeline.contrib.invenio_stats.findings import NOTHING, Findings, Remark
from stats_pipeline.contrib.invenio_stats.queries import OldRows, translate_query
from stats_pipeline.contrib.invenio_stats.reading import PeerConfiguration
from stats_pipeline.contrib.invenio_stats.references import Unpacked, shown
from stats_pipeline.contrib.invenio_stats.shipped import Shipped, read_shipped
from stats_pipeline.contrib.invenio_stats.writing import assignment, comment
from stats_pipeline.errors import ConfigurationError

REGISTRIES = ("STATS_EVENTS", "STATS_AGGREGATIONS", "STATS_QUERIES")

#: Read together with the queries.
PERMISSION_FACTORY = "STATS_PERMISSION_FACTORY"

#: Celery's; of it only what runs tasks of invenio-stats concerns us.
SCHEDULE = "CELERY_BEAT_SCHEDULE"

HEADING = (
    "Configuration of stats_pipeline, written by `stats migrate invenio-stats`. Go through the "
    "remarks (NOT TRANSLATED, CHECK) before it is used."
)


@dataclass(frozen=True, slots=True)
class Translation:
    """Be what became of a configuration.

    Attributes:
        settings: name of a setting -> its value, with remarks.
        templates: event type -> index template that is to be written.
        findings: what was lost, and what somebody should look at.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)

    def text(self) -> str:
        """Return it as a Python file."""
        parts = ["\n".join(comment(HEADING)) + "\n"]
        parts += [assignment(name, value) for name, value in self.settings.items()]
        return "\n".join(parts)

    def translated(self) -> dict[str, int]:
        """Return how many of each kind are in the result."""
        counts = {
            name.removeprefix("STATS_").lower(): _written(self.settings[name])
            for name in REGISTRIES
        }
        others = {name: self.settings[name] for name in self.settings if name not in REGISTRIES}
        return {**counts, "settings": _written(others)}


def translate(configuration: PeerConfiguration, *, templates_folder: Path | None) -> Translation:
    """Return the configuration in our terms.

    Args:
        configuration: what the old file sets.
        templates_folder: where converted index templates are to be; None: they are not converted.

    Raises:
        ConfigurationError: the file sets none of the three registries.
    """
    if not any(name in configuration.settings for name in REGISTRIES):
        raise ConfigurationError(
            f"{configuration.path} sets none of {', '.join(REGISTRIES)}: is it the configuration "
            "of invenio-stats?"
        )
    result = Translation()
    for module in configuration.unknown_stars:
        statement = f"from {module} import *"
        result.settings[statement] = result.findings.lose(statement, *UNKNOWN_DICT)
    result.settings.update(_plain_settings(configuration.settings, result.findings))
    _translate_registries(configuration.settings, result, templates_folder)
    return result


def _translate_registries(
    settings: Mapping[str, Any], result: Translation, templates_folder: Path | None
) -> None:
    app = Flask(__name__, static_folder=None)
    app.config.update(settings)
    events, aggregations, queries = (
        _entries(name, settings.get(name, {}), result.findings, app) for name in REGISTRIES
    )
    params, shipped = _params_by_name(aggregations), read_shipped()
    templates = EventTemplates(templates_folder, used_fields(params.values()))
    result.settings["STATS_EVENTS"] = {
        name: entry if isinstance(entry, Remark) else translate_event(name, entry, templates)
        for name, entry in events.items()
    }
    result.templates.update(templates.bodies)
    rows = OldRows(str(settings.get("SEARCH_INDEX_PREFIX") or ""), _fillers(params))
    permission = settings.get(PERMISSION_FACTORY)
    result.settings["STATS_AGGREGATIONS"] = {
        name: entry if isinstance(entry, Remark) else translate_aggregation(entry)
        for name, entry in aggregations.items()
    }
    result.settings["STATS_QUERIES"] = {
        name: entry
        if isinstance(entry, Remark)
        else translate_query(entry, rows, permission, is_shipped=name in shipped.queries)
        for name, entry in queries.items()
    }
    _switch_off(result, shipped)


def _entries(
    setting: str, registry: Any, findings: Findings, app: Flask
) -> dict[str, Entry | Remark]:
    if not isinstance(registry, Mapping):
        what_to_do = "Run the command where all of it can be imported"
        return {setting: findings.lose(setting, f"{shown(registry)} is not a dict", what_to_do)}
    entries: dict[str, Entry | Remark] = {}
    for name, value in registry.items():
        if isinstance(name, Unpacked):
            entries[name] = findings.lose(f"{setting}[**{name}]", *UNKNOWN_DICT)
            continue
        where = f"{setting}[{name!r}]"
        raw = resolve(where, value, findings, app)
        if not isinstance(raw, Remark):
            named = {k: v for k, v in raw.items() if not (k in names.NAME_KEYS and v == name)}
            entries[name] = Entry(where, named, findings)
        else:
            entries[name] = raw
    return entries


def _params_by_name(aggregations: Mapping[str, Entry | Remark]) -> dict[str, Mapping[str, Any]]:
    """Return aggregation -> its parameters, of those that say which events they count."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, entry in aggregations.items():
        params = None if isinstance(entry, Remark) else entry.look("params")
        if isinstance(params, Mapping) and isinstance(params.get("event"), str):
            found[name] = later_names(params, names.FIRST_PARAMS)
    return found


def _fillers(params: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return event type -> the aggregations of it, that of its own name first."""
    fillers: dict[str, list[str]] = {}
    for name in params:
        fillers.setdefault(params[name]["event"], []).append(name)
    for event_type, found in fillers.items():
        found.sort(key=lambda name: name != f"{event_type}-agg")
    return fillers


def _switch_off(result: Translation, shipped: Shipped) -> None:
    """Switch off what is shipped for an event type that the configuration replaces.

    It did not exist before, and need not fit to the events of another owner.
    """
    events = result.settings["STATS_EVENTS"]
    for event_type, entry in events.items():
        if isinstance(entry, Remark) or not entry.get("replaces"):
            continue
        aggregations, queries = shipped.of(event_type)
        for setting, names_of_shipped in (
            ("STATS_AGGREGATIONS", aggregations),
            ("STATS_QUERIES", queries),
        ):
            for name in names_of_shipped:
                if name not in result.settings[setting]:
                    result.settings[setting][name] = result.findings.doubt(
                        f"{setting}[{name!r}]",
                        None,
                        f"It is shipped for the {event_type} that is replaced here, and the old "
                        "configuration has none of this name",
                        "Take this line out if you want it",
                    )


def _written(values: Mapping[str, Any]) -> int:
    """Return how many of these were translated: not only remarked on, nor switched off."""
    return sum(not isinstance(v, Remark) or v.value not in (NOTHING, None) for v in values.values())


def _plain_settings(settings: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    """Return the settings that are one value, and note those that can't be taken over."""
    found: dict[str, Any] = {}
    if "STATS_REGISTER_RECEIVERS" in settings:
        found["STATS_RECEIVERS"] = bool(settings["STATS_REGISTER_RECEIVERS"])
    if settings.get("SEARCH_INDEX_PREFIX"):
        found["STATS_INDEX_PREFIX"] = findings.doubt(
            "SEARCH_INDEX_PREFIX",
            str(settings["SEARCH_INDEX_PREFIX"]),
            "Names of indices are the same as those of invenio-stats",
            "In the same cluster, choose another prefix",
        )
    found.update(_schedule(settings.get(SCHEDULE), findings))
    taken = {"STATS_REGISTER_RECEIVERS", "SEARCH_INDEX_PREFIX", PERMISSION_FACTORY, *REGISTRIES}
    for name in sorted(settings.keys() - taken):
        if name in names.RETIRED_SETTINGS:
            found[name] = findings.lose(name, *names.RETIRED_SETTINGS[name])
        elif name.startswith("STATS_"):
            found[name] = findings.lose(
                name, "This setting is not known", "See docs/settings.md for ours"
            )
    return found


def _schedule(schedule: Any, findings: Findings) -> dict[str, Remark]:
    """Note what runs a task of invenio-stats."""
    found = {}
    for name, entry in schedule.items() if isinstance(schedule, Mapping) else ():
        task = entry.get("task") if isinstance(entry, Mapping) else None
        if isinstance(task, str) and task.startswith("invenio_stats."):
            where = f"{SCHEDULE}[{name!r}]"
            found[where] = findings.lose(
                where,
                f"{task} is a task of invenio-stats",
                "Put the entries of stats_pipeline.tasks.beat_schedule in its place",
            )
    return found
