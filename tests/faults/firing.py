"""Hosts that fire signals: real processes, which tell a file what was confirmed to them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

from blinker import Namespace

from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings
from tests.faults.traffic import EVENT_TYPE, downloads

downloaded = Namespace().signal("downloaded")

#: How many events a buffered host fires before it waits for them.
FLUSHED_EVENTS = 20

THREADS = 6


def build(event: Event, _sender: object, *, number: int) -> Event:
    """Build the download with this number."""
    return {**event, **downloads(1, first=number)[0]}


#: The settings of a host, beside those that say where it runs.
FIRING: dict[str, Any] = {
    "STATS_EVENTS": {
        EVENT_TYPE: {
            "signal": "tests.faults.firing.downloaded",
            "event_builders": ["tests.faults.firing.build"],
        }
    },
}


def _from_anybody(_sender: object) -> bool:
    return True


def fire(pipeline: Pipeline, *, first: int, report: Path) -> None:
    """Send one signal after the other; write down the number of each whose `send` has returned."""
    pipeline.connect(_from_anybody)
    with report.open("ab", buffering=0) as confirmed:
        for number in count(first):
            downloaded.send(None, number=number)
            confirmed.write(b"%d\n" % number)


def fire_from_threads(pipeline: Pipeline, *, first: int, report: Path) -> None:
    """Do the same in several threads, which send at the same time."""
    pipeline.connect(_from_anybody)

    def work(numbers: Iterable[int]) -> None:
        with report.open("ab", buffering=0) as confirmed:
            for number in numbers:
                downloaded.send(None, number=number)
                confirmed.write(b"%d\n" % number)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, [count(first + n, THREADS) for n in range(THREADS)]))


def fire_and_flush(pipeline: Pipeline, *, first: int, report: Path) -> None:
    """Send signals, and write down their numbers when `flush` has said that all are taken."""
    pipeline.connect(_from_anybody)
    with report.open("ab", buffering=0) as confirmed:
        for start in count(first, FLUSHED_EVENTS):
            numbers = range(start, start + FLUSHED_EVENTS)
            for number in numbers:
                downloaded.send(None, number=number)
            if pipeline.flush():
                confirmed.write(b"".join(b"%d\n" % number for number in numbers))


def fork_and_end(pipeline: Pipeline) -> None:
    """Fork with events in the buffer, fire more on both sides, and end without a flush."""
    pipeline.connect(_from_anybody)
    for number in range(100):
        downloaded.send(None, number=number)
    child = os.fork()
    for number in range(100, 200) if child else range(200, 300):
        downloaded.send(None, number=number)
    if child:
        _, status = os.waitpid(child, 0)
        sys.exit(os.waitstatus_to_exitcode(status))


def main() -> None:
    """Fork and end; the argument: settings of the backend as JSON."""
    settings = json.loads(sys.argv[1])
    instance_path = settings.pop("instance_path")
    fork_and_end(Pipeline(read_settings({**settings, **FIRING}), instance_path=instance_path))
