"""A host that goes on emitting while its process ends."""

from __future__ import annotations

import atexit
import json
import sys

from tests.faults.firing import FIRING, downloaded


def fire(number: int) -> None:
    """Send one signal."""
    downloaded.send(None, number=number)


# Before anything of ours is imported that registers a handler: this one runs after it.
atexit.register(fire, 1)


def main() -> None:
    """Fire, and end; the argument: settings of the backend as JSON."""
    from stats_pipeline.pipeline import Pipeline
    from stats_pipeline.settings import read_settings

    settings = json.loads(sys.argv[1])
    instance_path = settings.pop("instance_path")
    pipeline = Pipeline(read_settings({**settings, **FIRING}), instance_path=instance_path)
    pipeline.connect(lambda _sender: True)
    fire(0)
