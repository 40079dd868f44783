"""Try the written configuration: does an application start with it, and does the doctor like it?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

from flask import Flask

from stats_pipeline import StatsPipeline, current_stats


def problems_of(text: str) -> list[str]:
    """Return what keeps an application from using this configuration; each as one line.

    The application has a store and a queue of its own, which are gone afterwards, and listens to
    no signal.
    """
    namespace: dict[str, Any] = {}
    exec(text, namespace)  # noqa: S102 - we have just written it, of plain values only
    settings = {name: value for name, value in namespace.items() if name.isupper()}
    with tempfile.TemporaryDirectory() as folder:
        app = Flask(__name__, instance_path=folder, static_folder=None)
        app.config.update(settings, STATS_STORE_URL="sqlite://", STATS_RECEIVERS=False)
        return list(_problems(app))


def _problems(app: Flask) -> Iterator[str]:
    try:
        StatsPipeline(app)
    except Exception as error:  # noqa: BLE001 - modules of the host may raise anything
        yield f"an application does not start with it: {error}"
        return
    with app.app_context():
        for hop in current_stats.doctor(wait_seconds=0).hops:
            if hop.status == "failed":
                yield f"{hop.name} can't be used: {hop.detail}"
        current_stats.close()
