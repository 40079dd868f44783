"""The pipeline: the three stages put together, without Flask.

One object for each app. It opens store and queue on first use, so that making it costs nothing and
a web process that only emits events never talks to the store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any

from stats_pipeline.aggregations.update import AggregationUpdate, Range, read_as_of
from stats_pipeline.clock import Clock, SystemClock, format_time
from stats_pipeline.errors import InvalidEvent, InvalidParameter, StatsError, StoreError
from stats_pipeline.events.dead_letters import DeadLetters
from stats_pipeline.events.drain import Indexer, drain
from stats_pipeline.events.envelope import complete
from stats_pipeline.events.publisher import Publisher
from stats_pipeline.events.receivers import Receiver
from stats_pipeline.model import Event
from stats_pipeline.queries.parameters import read_end, read_start
from stats_pipeline.queries.reading import Reader, Rows, reading
from stats_pipeline.queues.opening import open_queue, open_spool
from stats_pipeline.queues.protocol import Queue
from stats_pipeline.registry import AggregationDefinition, EventDefinition, Registries
from stats_pipeline.reports import (
    AggregationReport,
    ProcessingReport,
    TypeReport,
    UpdateReport,
)
from stats_pipeline.settings import without_password
from stats_pipeline.stores import fixed
from stats_pipeline.stores.opening import open_store
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
        self._instance_path = Path(instance_path)
        self._receivers: list[Receiver] = []
        self._indexers: dict[str, Indexer] = {}

    # Where things live

    @property
    def store_url(self) -> str:
        """Return the URL of the store."""
        return self.settings["STATS_STORE_URL"] or f"sqlite:///{self._instance_path / 'stats.db'}"

    @property
    def queue_url(self) -> str:
        """Return the URL of the queue: the broker, else the embedded file."""
        if self.settings["STATS_BROKER_URL"]:
            return str(self.settings["STATS_BROKER_URL"])
        is_embedded = self.store_url.startswith("sqlite:")
        return self.store_url if is_embedded else f"sqlite:///{self._instance_path / 'stats.db'}"

    @cached_property
    def store(self) -> Store:
        """Return the store; nothing is connected before it is used."""
        return open_store(self.store_url, index_prefix=self.settings["STATS_INDEX_PREFIX"])

    @cached_property
    def queue(self) -> Queue:
        """Return the queue; nothing is connected before it is used."""
        return open_queue(self.queue_url)

    @cached_property
    def publisher(self) -> Publisher:
        """Return what sends this process's events."""
        folder = Path(self.settings["STATS_SPOOL"] or self._instance_path)
        return Publisher(
            self.queue,
            open_spool(folder) if self.settings["STATS_BROKER_URL"] else None,
            buffer_events=int(self.settings["STATS_BUFFER_EVENTS"]),
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
        definitions = [self.registries.event_type(name) for name in self._types(types)]
        started = self.clock.monotonic()
        reports = {}
        for definition in definitions:
            left = None
            if time_limit_seconds is not None:
                left = max(0.0, time_limit_seconds - (self.clock.monotonic() - started))
            reports[definition.name] = self._drain(definition, left, progress)
        return ProcessingReport.of(reports)

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
        with reading(Reader(self.store, self._rows)):
            return instance.run(**params)

    # Operation

    def init(self) -> dict[str, Any]:
        """Create what can be created beforehand: queues and the templates; safe to repeat."""
        self.dead_letters.prepare()
        types = [self.registries.event_type(name) for name in self.registries.active_event_types]
        self.queue.declare([definition.queue_name for definition in types])
        for definition in types:
            self.store.put_template(definition.template)
        aggregations = [self.registries.aggregation(n) for n in self.registries.aggregation_items]
        for aggregation in aggregations:
            self.store.put_template(aggregation.template)
        return {
            "store": without_password(self.store_url),
            "queue": without_password(self.queue_url),
            "queues": [definition.queue_name for definition in types],
            "templates": [d.alias for d in types] + [a.alias for a in aggregations],
        }

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know first, as JSON values."""
        return {
            "store": self.store.check(),
            "queue": self.queue.check(),
            "spooled_messages": self.publisher.spooled(),
            "dead_letters": self.dead_letters.count(),
            "events": {
                name: {
                    "waiting_messages": self._waiting(self.registries.event_type(name).queue_name)
                }
                for name in self.registries.active_event_types
            },
            "aggregations": {
                name: self._aggregation_status(self.registries.aggregation(name))
                for name in sorted(self.registries.aggregation_items)
            },
        }

    def close(self) -> None:
        """Send what is buffered, stop listening, and let go of store and queue."""
        for receiver in self._receivers:
            receiver.disconnect()
        self._receivers = []
        for name in ("publisher", "store", "queue"):
            if name in self.__dict__:
                self.__dict__[name].close()

    # Inside

    def _completed(self, events: Sequence[Event]) -> list[Event]:
        if isinstance(events, dict | str) or not isinstance(events, Sequence):
            raise InvalidEvent(f"Events come as a list of dicts, not as {type(events).__name__}")
        now = self.clock.now()
        return [complete(event, now=now) for event in events]

    def _publish_again(self, event_type: str, events: Sequence[Event]) -> None:
        # As they were, with the time at which they were received first.
        self.publisher.publish(self.registries.event_type(event_type).queue_name, events)

    def _types(self, names: Names) -> Sequence[str]:
        return self.registries.active_event_types if names is None else names

    def _drain(
        self, definition: EventDefinition, seconds: float | None, progress: Progress | None
    ) -> TypeReport:
        try:
            return drain(
                definition,
                self._indexer(definition),
                queue=self.queue,
                dead_letters=self.dead_letters,
                clock=self.clock,
                time_limit_seconds=seconds,
                progress=progress,
            )
        except StatsError as error:
            logger.error("%s: %s", definition.title, error)
            return TypeReport(error=str(error))

    def _indexer(self, definition: EventDefinition) -> Indexer:
        if definition.name not in self._indexers:
            config = definition.config
            fixed.hold(
                self.store.state,
                definition.alias,
                {
                    "double_click_window": config.double_click_window,
                    "double_click_rule": config.double_click_rule,
                    "salt_window": config.salt_window,
                    "index_interval": config.index_interval,
                    "STATS_EARLIEST": format_time(self.settings["STATS_EARLIEST"]),
                },
                title=definition.title,
                way_out="set it back, or register the events under a new event type",
            )
            self._indexers[definition.name] = definition.processor_class(
                definition,
                store=self.store,
                dead_letters=self.dead_letters,
                clock=self.clock,
                earliest=self.settings["STATS_EARLIEST"],
            )
        return self._indexers[definition.name]

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
                reports[definition.name] = action(self._updating(definition), asked, progress)
            except InvalidParameter:
                raise
            except StatsError as error:
                logger.error("%s: %s", definition.title, error)
                reports[definition.name] = AggregationReport(error=str(error))
        return UpdateReport(aggregations=reports, started_at=format_time(started))

    def _updating(self, definition: AggregationDefinition) -> AggregationUpdate:
        return AggregationUpdate(
            definition,
            store=self.store,
            clock=self.clock,
            lease_seconds=self.settings["STATS_LEASE_SECONDS"],
        )

    def _rows(self, index: str | None, aggregation: str | None) -> Rows:
        """Return what is known of an alias's rows; of one that nobody declares, only its name."""
        if aggregation is None:
            aggregation = next(
                (
                    name
                    for name in self.registries.aggregation_items
                    if self.registries.aggregation(name).alias_name == index
                ),
                None,
            )
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

    def _waiting(self, queue_name: str) -> int:
        return self.queue.depth(queue_name) if self.queue.exists(queue_name) else 0

    def _aggregation_status(self, definition: AggregationDefinition) -> dict[str, Any]:
        try:
            updating = self._updating(definition)
            as_of = updating.as_of()
            return {
                "dirty_intervals": updating.dirty(),
                "as_of": format_time(as_of) if as_of else None,
            }
        except StoreError:
            raise
        except StatsError as error:
            return {"error": str(error)}


def _range(start: When, end: When, zone: tzinfo) -> Range:
    """Return what was asked; a bare date is a whole day in the zone, as an end as well."""
    bounds: list[datetime | None] = []
    for name, value, read in (("start", start, read_start), ("end", end, read_end)):
        try:
            bounds.append(None if value is None else read(value, zone))
        except ValueError as error:
            raise InvalidParameter(f"{name} {error}", parameter=name) from None
    return Range(*bounds)
