"""The pipeline: one object for each app, through which everything else reaches the three stages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any

from stats_pipeline.aggregations.update import AggregationUpdate, Range, read_as_of
from stats_pipeline.clock import Clock, SystemClock, format_time
from stats_pipeline.errors import InvalidEvent, InvalidParameter, StatsError
from stats_pipeline.events.dead_letters import DeadLetters
from stats_pipeline.events.envelope import complete
from stats_pipeline.events.publisher import Publisher
from stats_pipeline.events.receivers import Receiver
from stats_pipeline.model import Event
from stats_pipeline.pipeline import operation
from stats_pipeline.pipeline.connections import Connections
from stats_pipeline.pipeline.intake import Intake
from stats_pipeline.pipeline.processing import Processing
from stats_pipeline.queries.parameters import read_end, read_start
from stats_pipeline.queries.reading import Reader, Rows, reading
from stats_pipeline.queues.protocol import Queue
from stats_pipeline.registry import AggregationDefinition, Registries
from stats_pipeline.reports import AggregationReport, ProcessingReport, UpdateReport
from stats_pipeline.stores.protocol import Store

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
Names = Sequence[str] | None
When = str | datetime | None


class Pipeline:
    """Publish, process, aggregate and query the statistics of one app.

    Args:
        settings: what `stats_pipeline.settings.read_settings` returned.
        instance_path: where the embedded store and the spool are by default.
        clock: tells the time; tests pass their own.
    """

    def __init__(
        self, settings: dict[str, Any], *, instance_path: str, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.registries = Registries(settings)
        self._connections = Connections(settings, Path(instance_path))
        self._receivers: list[Receiver] = []

    # Where things live

    @property
    def store_url(self) -> str:
        """Return the URL of the store."""
        return self._connections.store_url

    @property
    def queue_url(self) -> str:
        """Return the URL of the queue."""
        return self._connections.queue_url

    @property
    def store(self) -> Store:
        """Return the store, opened on first use."""
        return self._connections.store

    @property
    def queue(self) -> Queue:
        """Return the queue, opened on first use."""
        return self._connections.queue

    @property
    def publisher(self) -> Publisher:
        """Return what sends this process's events."""
        return self._connections.publisher

    @cached_property
    def _processing(self) -> Processing:
        return Processing(
            store=self.store,
            queue=self.queue,
            dead_letters=self.dead_letters,
            clock=self.clock,
            earliest=self.settings["STATS_EARLIEST"],
        )

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Return the events that could not be counted."""
        return DeadLetters(
            self.store,
            prefix=self.settings["STATS_INDEX_PREFIX"],
            publish=self._publish_again,
            clock=self.clock,
        )

    # Events

    def connect(self, accepts: Callable[[Any], bool]) -> None:
        """Listen to the signals of the active event types, from senders that are accepted."""
        for name in self.registries.active_event_types:
            receiver = Receiver(self.registries.event_type(name), emit=self.emit, accepts=accepts)
            receiver.connect()
            self._receivers.append(receiver)
        # Made here and not by whichever of the host's threads is the first to emit.
        self.publisher  # noqa: B018

    def publish(self, event_type: str, events: Sequence[Event]) -> None:
        """Put events into their queue; return when the queue or the spool has all of them.

        Raises:
            UnknownEventType: no active event type has this name.
            InvalidEvent: the envelope of an event is wrong; none of the list was published.
            QueueError: neither queue nor spool takes them.
        """
        definition = self.registries.event_type(event_type)
        self.publisher.publish(definition.queue_name, self._completed(events))

    def emit(self, event_type: str, events: Sequence[Event]) -> None:
        """Take events of a signal; in buffered mode return without talking to the broker."""
        definition = self.registries.event_type(event_type)
        completed = self._completed(events)
        if self.settings["STATS_PUBLISH"] == "confirmed":
            self.publisher.publish(definition.queue_name, completed)
        else:
            self.publisher.emit(definition.queue_name, completed)

    def flush(self, timeout_seconds: float = 10) -> bool:
        """Wait until the queue has all that this process emitted; tell whether it has."""
        return self.publisher.flush(timeout_seconds)

    def process_events(
        self,
        types: Names = None,
        time_limit_seconds: float | None = None,
        *,
        progress: Progress | None = None,
    ) -> ProcessingReport:
        """Process the waiting events of these types (None: all active ones); report what was done.

        A type that fails does not stop the others: its report says why in `error`.
        """
        self.publisher.flush(timeout_seconds=10)
        names = self.registries.active_event_types if types is None else types
        definitions = [self.registries.event_type(name) for name in names]
        return self._processing.process(definitions, time_limit_seconds, progress)

    def intake(self, event_type: str) -> Intake:
        """Return what brings many events of an active type in, as an import from files does."""
        return Intake(self, event_type)

    # Aggregations

    def update(
        self,
        names: Names = None,
        start: When = None,
        end: When = None,
        *,
        progress: Progress | None = None,
    ) -> UpdateReport:
        """Bring these aggregations (None: all) up to what was processed; report what changed."""
        return self._aggregate(AggregationUpdate.update, names, start, end, progress)

    def reset(
        self,
        names: Names = None,
        start: When = None,
        end: When = None,
        *,
        progress: Progress | None = None,
    ) -> UpdateReport:
        """Recompute these aggregations (None: all) from the events; readers see no gap."""
        return self._aggregate(AggregationUpdate.reset, names, start, end, progress)

    # Queries

    def query(self, name: str, /, **params: Any) -> Any:
        """Run a named query; return what the REST API answers. Asks no permission."""
        instance = self.registries.query(name).instance
        with reading(Reader(self.store, self.rows)):
            return instance.run(**params)

    # Operation

    def init(self) -> dict[str, Any]:
        """Create the queues and install the templates; safe to repeat. Returns their names."""
        return operation.prepare(self)

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know first, as JSON values."""
        return operation.describe(self)

    def close(self) -> None:
        """Send what is buffered, stop listening, and let go of store and queue."""
        for receiver in self._receivers:
            receiver.disconnect()
        self._receivers = []
        self._connections.close()

    def updating(self, definition: AggregationDefinition) -> AggregationUpdate:
        """Return what updates, resets and describes this aggregation."""
        return AggregationUpdate(
            definition,
            store=self.store,
            clock=self.clock,
            lease_seconds=self.settings["STATS_LEASE_SECONDS"],
        )

    # Inside

    def _completed(self, events: Sequence[Event]) -> list[Event]:
        if isinstance(events, dict | str) or not isinstance(events, Sequence):
            raise InvalidEvent(f"Events come as a list of dicts, not as {type(events).__name__}")
        now = self.clock.now()
        return [complete(event, now=now) for event in events]

    def _publish_again(self, event_type: str, events: Sequence[Event]) -> None:
        # As they were, with the time at which they were received first.
        self.publisher.publish(self.registries.event_type(event_type).queue_name, events)

    def _aggregate(
        self,
        action: Callable[[AggregationUpdate, Range, Progress | None], AggregationReport],
        names: Names,
        start: When,
        end: When,
        progress: Progress | None,
    ) -> UpdateReport:
        started = self.clock.now()
        wanted = sorted(self.registries.aggregation_items) if names is None else names
        definitions = [self.registries.aggregation(name) for name in wanted]
        reports = {}
        for definition in definitions:
            try:
                asked = _range(start, end, definition.config.time_zone)
                reports[definition.name] = action(self.updating(definition), asked, progress)
            except InvalidParameter:
                raise
            except StatsError as error:
                logger.error("%s: %s", definition.title, error)
                reports[definition.name] = AggregationReport(error=str(error))
        return UpdateReport(aggregations=reports, started_at=format_time(started))

    def rows(self, index: str | None, aggregation: str | None) -> Rows:
        """Return what is known of an alias's rows; of one that nobody declares, only its name."""
        if aggregation is None:
            aggregation = self.registries.aggregation_with_alias(str(index))
        if aggregation is None:
            return Rows(alias=f"{self.settings['STATS_INDEX_PREFIX']}{index}")
        definition = self.registries.aggregation(aggregation)
        return Rows(
            alias=definition.alias,
            types=definition.template.types,
            interval=definition.config.aggregation_interval,
            zone=definition.config.time_zone,
            dimensions=definition.config.aggregation_field,
            metrics=definition.config.metrics,
            as_of=read_as_of(self.store, definition.alias),
        )


def _range(start: When, end: When, zone: tzinfo) -> Range:
    """Return what was asked; a bare date is a whole day in the zone, as an end as well."""
    bounds: list[datetime | None] = []
    for name, value, read in (("start", start, read_start), ("end", end, read_end)):
        try:
            bounds.append(None if value is None else read(value, zone))
        except ValueError as error:
            raise InvalidParameter(f"{name} {error}", parameter=name) from None
    return Range(*bounds)
