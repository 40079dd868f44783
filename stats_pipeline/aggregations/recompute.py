"""Recompute: one interval of one aggregation from its events, under a lease.

The order of the steps is what makes totals exact: read the marks, then refresh, then compute and
write, and only then say that the marks that were read are done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from stats_pipeline.aggregations.differences import DifferenceWriter
from stats_pipeline.aggregations.dirty import DirtyInterval, DirtyMarks
from stats_pipeline.aggregations.double_clicks import set_flags
from stats_pipeline.aggregations.generations import Generations
from stats_pipeline.aggregations.lease import Lease, acquire
from stats_pipeline.clock import Clock, format_time
from stats_pipeline.errors import LeaseLost, StatsError, StoreRefused, StoreUnavailable
from stats_pipeline.intervals import Period
from stats_pipeline.model import Filter
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.reports import AggregationReport
from stats_pipeline.stores.indices import EventIndices
from stats_pipeline.stores.protocol import Store

logger = logging.getLogger(__name__)


class Recompute:
    """Bring the rows of single intervals to what the events say.

    Args:
        definition: of the aggregation.
        store: where events, rows, marks and leases live.
        clock: for leases.
        lease_seconds: how long a run that stopped answering keeps an interval.
        generations: of the aggregation.
    """

    def __init__(
        self,
        definition: AggregationDefinition,
        *,
        store: Store,
        clock: Clock,
        lease_seconds: float,
        generations: Generations,
    ) -> None:
        self._definition = definition
        self._store = store
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._generations = generations
        self._aggregator = definition.aggregator_class(definition)
        self._window = timedelta(seconds=definition.event.config.sliding_seconds)
        self._event_indices = EventIndices(
            store, definition.event.template, definition.event.config.index_interval
        )

    def marks(self, generation: int) -> DirtyMarks:
        """Return the marks of a generation."""
        name = self._generations.done_name(generation)
        return DirtyMarks(self._store.state, self._definition, name)

    def attempt(
        self, generation: int, interval: DirtyInterval, started: datetime
    ) -> AggregationReport | None:
        """Recompute one interval; None where another run holds it. Its failure is its report's."""
        key = f"{self._generations.done_name(generation)}/{interval.label}"
        try:
            lease = acquire(self._store.state, self._clock, key, self._lease_seconds)
            if lease is None:
                return None
            try:
                with self._alone_with_flags() as flags:
                    return self._under_leases(generation, interval, [lease, *flags], started)
            finally:
                lease.release()
        except _FlagsHeldError:
            return None
        except (StoreUnavailable, StoreRefused):
            raise  # the other intervals would meet the same
        except LeaseLost as error:
            logger.warning("%s: %s; it will be done again", self._definition.title, error)
            return AggregationReport(pending=(interval.label,))
        except StatsError as error:
            logger.error("%s, %s: %s", self._definition.title, interval.label, error)
            return AggregationReport(pending=(interval.label,), error=str(error))
        except Exception as error:
            logger.exception("%s, %s", self._definition.title, interval.label)
            return AggregationReport(pending=(interval.label,), error=repr(error))

    @contextmanager
    def _alone_with_flags(self) -> Iterator[list[Lease]]:
        """Keep others from the flags of double clicks, where the event type has the sliding rule.

        Another aggregation of these events that began earlier could otherwise set flags from what
        it saw then, between this run's flags and its count.
        """
        if not self._window:
            yield []
            return
        key = f"{self._definition.event.alias}/double-clicks"
        lease = acquire(self._store.state, self._clock, key, self._lease_seconds)
        if lease is None:
            raise _FlagsHeldError
        try:
            yield [lease]
        finally:
            lease.release()

    def _under_leases(
        self,
        generation: int,
        interval: DirtyInterval,
        leases: Sequence[Lease],
        started: datetime,
    ) -> AggregationReport:
        """Do one interval under its leases. The order of these steps is what makes it exact."""
        marks, period = self.marks(generation), interval.period
        read = marks.read(interval)
        if interval.mark_keys and not read:
            return AggregationReport()  # another run was faster
        report = self._write_rows(generation, interval, leases)
        _confirm(leases)
        if any(lease.suspect_until and started < lease.suspect_until for lease in leases):
            # An earlier holder may only have been stopped, and write again: not done yet.
            return report + AggregationReport(pending=(interval.label,))
        marks.finish(read, period)
        try:
            _confirm(leases)
        except LeaseLost:
            marks.reopen(read, period)
            raise
        return report

    def _write_rows(
        self, generation: int, interval: DirtyInterval, leases: Sequence[Lease]
    ) -> AggregationReport:
        def check() -> None:
            for lease in leases:
                lease.check()

        period, store = interval.period, self._store
        dimensions = self._definition.config.aggregation_field
        row_index = self._generations.index_name(generation, period.start)
        # The next click of the last events may lie in the next index.
        event_indices = self._event_indices.covering(
            Period(period.start, period.end + self._window)
        )
        store.refresh([*event_indices, row_index])
        if self._window:
            self._flag_double_clicks(event_indices, period, check)
        writer = DifferenceWriter(
            store,
            row_index,
            self._clock,
            prepare=lambda: self._generations.ensure_index(generation, period.start),
            check=check,
        )
        stored_rows = Filter().where("timestamp", [format_time(period.start)])
        with store.snapshot(event_indices) as events, store.snapshot([row_index]) as rows:
            return writer.write(
                lambda: self._aggregator.rows(events, period),
                lambda: rows.scan(stored_rows, dimensions),
                dimensions,
            )

    def _flag_double_clicks(
        self, event_indices: Sequence[str], period: Period, check: Callable[[], None]
    ) -> None:
        """Bring the flags of the interval's events up to date and make them visible."""
        with self._store.snapshot(event_indices) as events:
            written = set_flags(
                self._store, events, period, window=self._window, clock=self._clock, check=check
            )
        if written:
            self._store.refresh(event_indices)


class _FlagsHeldError(Exception):
    """Say that another run is at work on the flags of these events."""


def _confirm(leases: Sequence[Lease]) -> None:
    for lease in leases:
        lease.confirm()
