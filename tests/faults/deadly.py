"""Preprocessors that really end their process, as a segfault or a lack of memory does."""

import os
import signal

from stats_pipeline.model import Event

DEADLY = "deadly"


def die_of_some(event: Event) -> Event:
    """Kill this process at an event that says so."""
    if event.get("referrer") == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    return event
