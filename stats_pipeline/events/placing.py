"""Placing: which document an event becomes, where, and which hours it changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from stats_pipeline.clock import MILLISECOND
from stats_pipeline.events.identity import document_id, document_version
from stats_pipeline.intervals import Period, hours_of, slot_of
from stats_pipeline.model import Event
from stats_pipeline.registry import EventDefinition
from stats_pipeline.stores.indices import EventIndices
from stats_pipeline.stores.protocol import Put


@dataclass(frozen=True, slots=True)
class Placing:
    """Place events of one type, as they are after their preprocessors.

    Attributes:
        definition: of the event type.
        indices: that it has.
        earliest: the time that versions count from.
    """

    definition: EventDefinition
    indices: EventIndices
    earliest: datetime

    def document(self, event: Event, timestamp: datetime, *, is_imported: bool = False) -> Put:
        """Return what is to be written for the event."""
        # A window divides a day and an index holds whole days, so slot and event share an index.
        return Put(
            self.indices.name_of(timestamp),
            document_id(self.definition.name, event, self._slot(event, timestamp)),
            event,
            document_version(event, timestamp, self.earliest, is_imported=is_imported),
        )

    def touched(self, event: Event, timestamp: datetime) -> Iterable[datetime]:
        """Return the hours whose marks the event changes.

        Those of the click that its window keeps, or of the flags of the clicks before it.
        """
        back = timedelta(seconds=self.definition.config.sliding_seconds)
        slot = self._slot(event, timestamp)
        return hours_of(slot or Period(timestamp - back, timestamp + MILLISECOND))

    def _slot(self, event: Event, timestamp: datetime) -> Period | None:
        """Return the fixed window in which the event is one with others; None: it stands alone."""
        config = self.definition.config
        window = config.double_click_window
        if config.sliding_seconds or not window or event.get("unique_id") is None:
            return None
        return slot_of(timestamp, window)
