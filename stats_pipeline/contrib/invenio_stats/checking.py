"""Try the written configuration: does an application start with it, and is everything usable?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask

from stats_pipeline import StatsPipeline, current_stats


def problems_of(text: str) -> list[str]:
    """Return what keeps an application from using this configuration; each as one line.

    Nothing is stored, sent or listened to.
    """
    namespace: dict[str, Any] = {}
    exec(text, namespace)  # noqa: S102 - we have just written it, of plain values only
    settings = {name: value for name, value in namespace.items() if name.isupper()}
    with tempfile.TemporaryDirectory() as folder:
        app = Flask(__name__, instance_path=folder, static_folder=None)
        app.config.update(settings, STATS_STORE_URL="sqlite://", STATS_RECEIVERS=False)
        return list(_problems(app, settings))


def _problems(app: Flask, settings: dict[str, Any]) -> Iterator[str]:
    try:
        StatsPipeline(app)
    except Exception as error:  # noqa: BLE001 - modules of the host may raise anything
        yield f"an application does not start with it: {error}"
        return
    uses: dict[str, Callable[[str], Any]] = {
        "STATS_EVENTS": _use_event_type,
        "STATS_AGGREGATIONS": _use_aggregation,
        "STATS_QUERIES": lambda name: current_stats.registries.query(name).instance,
    }
    with app.app_context():
        for setting, use in uses.items():
            for name in settings[setting]:
                try:
                    use(name)
                except Exception as error:  # noqa: BLE001 - as above
                    yield f"{setting}[{name!r}] can't be used: {error}"
        current_stats.close()


def _use_event_type(name: str) -> object:
    definition = current_stats.registries.event_type(name)
    return definition.template, definition.preprocessors, definition.builders, definition.signal


def _use_aggregation(name: str) -> object:
    definition = current_stats.registries.aggregation(name)
    return definition.template, definition.modifiers
