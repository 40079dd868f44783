"""Translate `STATS_EVENTS`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stats_pipeline.contrib.invenio_stats import names
from stats_pipeline.contrib.invenio_stats.entry import Entry
from stats_pipeline.contrib.invenio_stats.event_templates import EventTemplates
from stats_pipeline.contrib.invenio_stats.findings import Remark
from stats_pipeline.contrib.invenio_stats.references import (
    how_to_name,
    importable,
    peer_name,
    shown,
    why_unusable,
)

SECONDS_A_DAY = 86_400


def translate_event(name: str, entry: Entry, templates: EventTemplates) -> dict[str, Any]:
    """Return the registration of an event type, with remarks on what it lacks."""
    translated: dict[str, Any] = {}
    is_complete = entry.has("templates")
    if is_complete:
        # The host's own declaration is the whole one, also beside what is shipped by that name.
        translated["replaces"] = True
        translated["templates"] = templates.of(name, entry)
    if entry.has("cls"):
        translated["processor_class"] = entry.one("cls", entry.take("cls"), names.PROCESSOR_CLASSES)
    if entry.has("params"):
        translated["processor_config"] = _processor_config(entry.nested("params"))
    if entry.look("signal") is not None:
        translated["signal"] = _signal(entry, is_complete=is_complete)
    elif is_complete:
        translated["signal"] = _no_signal(entry)
    if entry.has("event_builders"):
        translated["event_builders"] = entry.several(
            "event_builders", entry.take("event_builders"), _builders
        )
        _check_builders(translated, entry)
    return translated | entry.rest()


def _processor_config(params: Entry) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if params.has("preprocessors"):
        preprocessors = params.several(
            "preprocessors", params.take("preprocessors"), _preprocessors
        )
        config["preprocessors"] = preprocessors
        if isinstance(preprocessors, list) and names.PREPROCESSORS["anonymize_user"] in (
            preprocessors
        ):
            config["preprocessors"] = params.findings.doubt(
                params.at("preprocessors"),
                preprocessors,
                "The old anonymize_user also added the country",
                "If you want it, put stats_pipeline.events.preprocessors:add_country before "
                "anonymize_user",
            )
    if params.has("double_click_window"):
        config["double_click_window"] = _window(params)
    if params.has("suffix"):
        config["index_interval"] = _index_interval(params)
    return config | params.rest()


def _window(params: Entry) -> int | Remark:
    window = params.take("double_click_window")
    if type(window) is not int or window < 0 or (window and SECONDS_A_DAY % window):
        return params.lose(
            "double_click_window",
            f"{shown(window)} is not a number of whole seconds that divides a day",
            "The default of 10 holds; choose 10, 15, 20, 30, 60 or 0 for off",
        )
    if window == 0:
        return params.findings.doubt(
            params.at("double_click_window"),
            window,
            "0 is off; it meant that events of one second were one",
            "Say 1 for that",
        )
    return window


def _index_interval(params: Entry) -> str | Remark:
    suffix = params.take("suffix")
    interval = names.SUFFIXES.get(suffix) if isinstance(suffix, str) else None
    return interval or params.lose(
        "suffix",
        f"{shown(suffix)} is the form of no interval",
        "The default of a month holds; say index_interval: day, week, month, quarter or year",
    )


def _signal(entry: Entry, *, is_complete: bool) -> str | Remark:
    signal = entry.take("signal")
    path = importable(signal)
    if path is not None:
        return path
    until_then = "the events come by publish only" if is_complete else "the registered one is heard"
    what_to_do = f"Until then {until_then}. {how_to_name(signal)}"
    return entry.lose("signal", why_unusable(signal), what_to_do)


def _no_signal(entry: Entry) -> Remark:
    """Say how the events of a type came that no signal is turned into."""
    entry.take("signal")
    if entry.look("event_builders"):
        return entry.lose(
            "signal",
            "It has none: current_stats.get_event_emitter(...) ran its builders, which run on a "
            "signal here",
            "Name a blinker signal of yours, and send it where the emitter was called, with the "
            "same arguments",
        )
    return entry.findings.doubt(
        entry.at("signal"),
        None,
        "It has none, so its events come by current_stats.publish(...), as here",
        "See that your code calls that of stats_pipeline",
    )


def _preprocessors(value: Any) -> Iterable[str] | None:
    path = names.PREPROCESSORS.get(peer_name(value) or "")
    return None if path is None else (path,)


def _builders(value: Any) -> Iterable[str] | None:
    return names.EVENT_BUILDERS.get(peer_name(value) or "")


def _check_builders(translated: dict[str, Any], entry: Entry) -> None:
    download = names.EVENT_BUILDERS["file_download_event_builder"][0]
    if isinstance(translated["event_builders"], list) and download in translated["event_builders"]:
        translated["event_builders"] = entry.findings.doubt(
            entry.at("event_builders"),
            translated["event_builders"],
            "The size of a download is taken from obj.size, no longer from obj.file.size",
            "Add a builder of your own if your files have it elsewhere",
        )
