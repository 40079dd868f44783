"""The pipeline: one object for each app, through which everything else reaches the three stages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from stats_pipeline.aggregations.as_of import read_as_of
from stats_pipeline.aggregations.steps import Notice, Progress, Steps
from stats_pipeline.aggregations.update import AggregationUpdate, HandOver
from stats_pipeline.clock import Clock, SystemClock
from stats_pipeline.errors import InvalidEvent
from stats_pipeline.events.dead_letters import DeadLetters
from stats_pipeline.events.envelope import complete
from stats_pipeline.events.ledger import Ledger
from stats_pipeline.events.receivers import Receiver
from stats_pipeline.model import Event
from stats_pipeline.pipeline.aggregating import Aggregating, When
from stats_pipeline.pipeline.balance import balance_of
from stats_pipeline.pipeline.connections import Connections, Places
from stats_pipeline.pipeline.doctor import DoctorReport, Hop, diagnose
from stats_pipeline.pipeline.intake import Intake
from stats_pipeline.pipeline.losses import LossReport, acknowledge_loss
from stats_pipeline.pipeline.moving import Moving
from stats_pipeline.pipeline.preparing import prepare
from stats_pipeline.pipeline.processing import Processing
from stats_pipeline.pipeline.references import References
from stats_pipeline.pipeline.retention import apply
from stats_pipeline.pipeline.rows import declared_rows, has_rows, row_fields, unused
from stats_pipeline.pipeline.runs import Run, Runs, processed
from stats_pipeline.pipeline.status import describe
from stats_pipeline.queries.annotations import Annotations
from stats_pipeline.queries.json_values import json_value
from stats_pipeline.queries.reading import Reader, Rows, reading
from stats_pipeline.registry import AggregationDefinition, Registries
from stats_pipeline.reports import (
    BalanceReport,
    ProcessCounters,
    ProcessingReport,
    RetentionReport,
    UpdateReport,
)
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

Names = Sequence[str] | None


class Pipeline(Places):
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
        self._connections = Connections(settings, Path(instance_path), self.clock)
        self._receivers: list[Receiver] = []

    def beside(self, settings: dict[str, Any]) -> Pipeline:
        """Return a pipeline of other registrations on the same store and queue; close only this."""
        other = Pipeline(settings, instance_path="", clock=self.clock)
        other._connections = self._connections.lent()
        return other

    # What does the work

    @cached_property
    def processing(self) -> Processing:
        """Return what takes events from their queues into the store."""
        return Processing(
            store=self.store,
            queue=self.queue,
            dead_letters=self.dead_letters,
            ledger=self.ledger,
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
            is_active=lambda name: name in self.registries.active_event_types,
            clock=self.clock,
        )

    @cached_property
    def ledger(self) -> Ledger:
        """Return what became of every message."""
        prefix = self.settings["STATS_INDEX_PREFIX"]
        return Ledger(self.store, prefix=prefix, clock=self.clock)

    @cached_property
    def annotations(self) -> Annotations:
        """Return what people know of the values in rows."""
        return Annotations(
            self.store.state,
            prefix=self.settings["STATS_INDEX_PREFIX"],
            row_fields=lambda: row_fields(self.registries),
        )

    @cached_property
    def moving(self) -> Moving:
        """Return what exports and imports events and history, and erases what is of one person."""
        return Moving(self)

    @cached_property
    def references(self) -> References:
        """Return what keeps events from being deleted, as long as something refers to them."""
        return References(self)

    @cached_property
    def _aggregating(self) -> Aggregating:
        return Aggregating(
            self.updating,
            run_log=self.run_log,
            clock=self.clock,
            threads=self.settings["STATS_UPDATE_THREADS"],
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
        is_confirmed = self.settings["STATS_PUBLISH"] == "confirmed"
        send = self.publisher.confirm if is_confirmed else self.publisher.emit
        send(definition.queue_name, completed)

    def flush(self, timeout_seconds: float = 10) -> bool:
        """Wait until the queue has all that this process emitted; tell whether it has."""
        return self.publisher.flush(timeout_seconds)

    def process_events(
        self,
        types: Names = None,
        time_limit_seconds: float | None = None,
        *,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> ProcessingReport:
        """Process the waiting events of these types (None: all active ones); report what was done.

        A type that fails does not stop the others: its report says why in `error`.

        Args:
            types: names of active event types.
            time_limit_seconds: no batch is begun after it. The types share it, and take turns in
                being the first.
            progress: called with how many events are done, and how many there are at a guess.
            should_stop: asked after each batch, as for a process that was told to end.
        """
        definitions = self.registries.event_types(types)
        started = self.clock.now()
        self.publisher.flush(timeout_seconds=10)
        report = self.processing.process(definitions, time_limit_seconds, progress, should_stop)
        self.run_log.keep("process_events", started, **processed(report))
        return report

    def intake(self, event_type: str) -> Intake:
        """Return what brings many events of an active type in, as an import from files does."""
        return Intake(self, event_type)

    def counters(self) -> ProcessCounters:
        """Return what this process has done since it began; for Prometheus."""
        processing: Processing | None = self.__dict__.get("processing")  # only where it is used
        return ProcessCounters(
            published=dict(self.publisher.counts),
            failed_signals={each.event_type: each.failed for each in self._receivers},
            processed=dict(processing.counts) if processing else {},
        )

    def balance(self, types: Names = None) -> BalanceReport:
        """Compare what was accepted with what became of it, for these types (None: active ones).

        Exact at rest: while events are on their way, a hole may only be one that is being filled.
        """
        names = [definition.name for definition in self.registries.event_types(types)]
        return BalanceReport(types={name: balance_of(self, name) for name in names})

    # Aggregations

    def update(
        self,
        names: Names = None,
        start: When = None,
        end: When = None,
        *,
        progress: Progress | None = None,
        notice: Notice | None = None,
        hand_over: HandOver | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> UpdateReport:
        """Bring these aggregations (None: all) up to what was processed; report what changed.

        Args:
            names: of aggregations.
            start: only intervals that end after it.
            end: only intervals that begin before it; a bare date means through its end.
            progress: called with how many intervals are done, and how many there are.
            notice: called with a sentence that says what the update waits for.
            hand_over: takes what is too much for one of several workers (see
                `AggregationUpdate.begin`).
            should_stop: asked before each interval, as for a process that was told to end.
        """
        return self._aggregating.update(
            self.registries.aggregations(names),
            start,
            end,
            Steps(progress, notice),
            hand_over=hand_over,
            should_stop=should_stop,
        )

    def reset(
        self,
        names: Names = None,
        start: When = None,
        end: When = None,
        *,
        progress: Progress | None = None,
        notice: Notice | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> UpdateReport:
        """Recompute these aggregations (None: all) from the events; readers see no gap.

        The arguments are those of `update`.
        """
        return self._aggregating.reset(
            self.registries.aggregations(names),
            start,
            end,
            Steps(progress, notice),
            should_stop=should_stop,
        )

    def has_rows(self, aggregations: Collection[str]) -> bool:
        """Tell whether at least one of these aggregations has rows."""
        return has_rows(self.store, self.settings["STATS_INDEX_PREFIX"], aggregations)

    def unused_aggregations(self) -> set[str]:
        """Return the aggregations without rows whose event types are not active here."""
        return unused(self.registries.inactive_aggregations, self.has_rows)

    # Queries

    def query(self, name: str, /, **params: Any) -> Any:
        """Run a named query; return what the REST API answers. Asks no permission.

        Times in the answer of a host's own class become ISO 8601, and decimals numbers.
        """
        instance = self.registries.query(name).instance
        with reading(Reader(self.store, self.rows, self.annotations)):
            answer = json_value(instance.run(**params))
        if isinstance(answer, dict) and "as_of" not in answer:
            return {**answer, "as_of": None}  # a host's own class need not know of it
        return answer

    # Operation

    @cached_property
    def run_log(self) -> Runs:
        """Return what keeps the last runs of all jobs."""
        return Runs(self.store.state, self.clock)

    def runs(self, job: str | None = None, limit: int = 20) -> list[Run]:
        """Return the last runs that did something or failed (of one job, or all), newest first."""
        return self.run_log.list(job, limit)

    def doctor(
        self, wait_seconds: float = 15, *, on_hop: Callable[[Hop], None] | None = None
    ) -> DoctorReport:
        """Send test messages through every hop (see `diagnose`); say what works and what not."""
        return diagnose(self, wait_seconds, on_hop)

    def apply_retention(self, dry_run: bool = False) -> RetentionReport:
        """Delete what may not be kept any longer; a dry run only says what that is."""
        started = self.clock.now()
        report = apply(self, dry_run=dry_run)
        if not dry_run:
            self.run_log.keep("retention", started, done=report.totals, errors=report.errors)
        return report

    def acknowledge_loss(self, index: str) -> LossReport:
        """Get on without an event index that is lost for good (see `acknowledge_loss`)."""
        return acknowledge_loss(self, index)

    def init(self) -> dict[str, Any]:
        """Create the queues and install the templates; safe to repeat. Returns their names."""
        return prepare(self)

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know first (see `describe`), as JSON values."""
        return describe(self)

    def close(self) -> None:
        """Send what is buffered, stop listening, and let go of store and queue."""
        for receiver in self._receivers:
            receiver.disconnect()
        self._receivers = []
        self._connections.close()

    def updating(self, definition: AggregationDefinition) -> AggregationUpdate:
        """Return what updates, resets and describes this aggregation (see `AggregationUpdate`)."""
        return AggregationUpdate(
            definition,
            store=self.store,
            clock=self.clock,
            lease_seconds=self.settings["STATS_LEASE_SECONDS"],
            threads=self.settings["STATS_UPDATE_THREADS"],
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

    def rows(self, index: str | None, aggregation: str | None) -> Rows:
        """Return what is known of an alias's rows; of one that nobody declares, only its name."""
        rows = self.declared_rows(index, aggregation)
        return replace(rows, as_of=read_as_of(self.store, rows.alias)) if rows.types else rows

    def declared_rows(self, index: str | None, aggregation: str | None) -> Rows:
        """Return what is declared of an alias's rows, without a word to the store."""
        prefix = self.settings["STATS_INDEX_PREFIX"]
        return declared_rows(self.registries, prefix, index, aggregation)
