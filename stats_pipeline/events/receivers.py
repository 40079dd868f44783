"""Receivers: connect a host's signals to the builders, and what they build to the publisher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stats_pipeline.errors import InvalidEvent
from stats_pipeline.events.builders import build_events
from stats_pipeline.model import Event
from stats_pipeline.registry import EventDefinition
from stats_pipeline.text import get_logger

logger = get_logger(__name__)


class Receiver:
    """Turn the signals of one event type into events; never raise into the host's request.

    The signal holds it weakly, so it lives as long as its owner keeps it.

    Args:
        definition: of the event type; its signal and builders are imported here.
        emit: takes the event type's name and an event.
        accepts: tells whether a sender's signals are ours to record.
    """

    def __init__(
        self,
        definition: EventDefinition,
        *,
        emit: Callable[[str, list[Event]], None],
        accepts: Callable[[Any], bool],
    ) -> None:
        self.event_type = definition.name
        self._builders = definition.builders
        self._signal = definition.signal
        self._emit = emit
        self._accepts = accepts
        #: How many signals could not be turned into events since this process began.
        self.failed = 0

    def connect(self) -> None:
        """Begin to listen, where the event type has a signal."""
        if self._signal is not None:
            self._signal.connect(self.receive)

    def disconnect(self) -> None:
        """Stop listening."""
        if self._signal is not None:
            self._signal.disconnect(self.receive)

    def receive(self, sender: Any, **signal: Any) -> None:
        """Build and emit the events of one signal."""
        try:
            if self._accepts(sender):
                events = build_events(self._builders, sender, **signal)
                if events:
                    self._emit(self.event_type, events)
        except Exception as error:
            self.failed += 1
            if isinstance(error, InvalidEvent) and error.field is not None:
                # Not its text, which quotes the value: that may be somebody's name.
                logger.error(
                    "Error building event %s: it is not recorded, since its field %r is missing "
                    "or has a value that is not allowed",
                    self.event_type,
                    error.field,
                )
            else:
                logger.exception("Error building event %s: it is not recorded", self.event_type)
