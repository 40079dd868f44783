"""A worker that is killed where a test wants it; run as a program by test_killed_worker.py."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from stats_pipeline import EventsIndexer
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.reports import TypeReport
from stats_pipeline.settings import read_settings


def die() -> None:
    """Kill this process without any chance to tidy up."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingBeforeTheBulk(EventsIndexer):
    """Die when the messages were taken and nothing was written."""

    def index(self, events: Sequence[Any]) -> TypeReport:
        """Die."""
        die()
        return super().index(events)


class DyingAfterTheBulk(EventsIndexer):
    """Die when documents are written, and neither dead letters nor marks."""

    def _write(self, batch: Any) -> int:
        written = super()._write(batch)
        die()
        return written


class DyingBeforeTheAcknowledgement(EventsIndexer):
    """Die when everything is written and nothing is acknowledged."""

    def index(self, events: Sequence[Any]) -> TypeReport:
        """Index them, and die."""
        report = super().index(events)
        die()
        return report


def main(configuration: dict[str, Any]) -> None:
    """Process events until the indexer ends this process."""
    instance_path = configuration.pop("instance_path")
    Pipeline(read_settings(configuration), instance_path=instance_path).process_events()
    raise SystemExit("the indexer was expected to kill this process")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
