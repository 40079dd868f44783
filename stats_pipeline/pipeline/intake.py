"""Intake: bring many events in from elsewhere, published and processed in turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stats_pipeline.errors import StoreError
from stats_pipeline.model import Event
from stats_pipeline.reports import OUTCOMES

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

#: So many events are published before they are processed, so that the queue never fills.
ROUND_EVENTS = 10_000


class Intake:
    """Take events of one type in; made by `Pipeline.intake`.

    Attributes:
        processed: what became of the events that were processed here, as in a report. Workers
            that run at the same time take their share.
    """

    def __init__(self, pipeline: Pipeline, event_type: str) -> None:
        self.processed = dict.fromkeys(OUTCOMES, 0)
        self._pipeline = pipeline
        self._event_type = event_type
        self._published = 0

    def take(self, events: Sequence[Event]) -> None:
        """Publish these events, and process what waits when that is much."""
        self._pipeline.publish(self._event_type, events)
        self._published += len(events)
        if self._published >= ROUND_EVENTS:
            self.finish()

    def finish(self) -> None:
        """Process what was taken and still waits.

        Raises:
            StoreError: events could not be processed; they wait in the queue.
        """
        # A drain may end early, on an alarm: what is published here is processed to its end.
        while self._published:
            report = self._pipeline.process_events([self._event_type]).types[self._event_type]
            if report.error:
                raise StoreError(
                    "The events can't be stored and wait in the queue; when it is mended, import "
                    f"again, which counts nothing twice: {report.error}"
                )
            for outcome in OUTCOMES:
                self.processed[outcome] += getattr(report, outcome)
            self._published = self._published if report.taken else 0
