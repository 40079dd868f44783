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
from stats_pipeline.reports import Outcome
from stats_pipeline.settings import read_settings


def die() -> None:
    """Kill this process without any chance to tidy up."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingBeforeTheBulk(EventsIndexer):
    """Die when the messages were taken and nothing was written."""

    def index(self, events: Sequence[Any]) -> list[Outcome]:
        """Die."""
        die()
        return super().index(events)


class DyingAfterTheBulk(EventsIndexer):
    """Die when documents are written, and neither dead letters nor marks."""

    def _write(self, batch: Any) -> None:
        super()._write(batch)
        die()


class DyingBeforeTheAcknowledgement(EventsIndexer):
    """Die when everything is written and nothing is acknowledged."""

    def index(self, events: Sequence[Any]) -> list[Outcome]:
        """Index them, and die."""
        outcomes = super().index(events)
        die()
        return outcomes


def main(configuration: dict[str, Any]) -> None:
    """Process events until the indexer ends this process."""
    instance_path = configuration.pop("instance_path")
    Pipeline(read_settings(configuration), instance_path=instance_path).process_events()
    raise SystemExit("the indexer was expected to kill this process")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
