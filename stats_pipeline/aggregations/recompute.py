"""Recompute: one interval of one aggregation from its events, under a lease.

The order of the steps is what makes totals exact: read the marks, then refresh, then compute and
write, and only then say that the marks that were read are done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from stats_pipeline.aggregations.dirty import DirtyInterval, DirtyMarks
from stats_pipeline.aggregations.flag_lease import flags_key
from stats_pipeline.aggregations.generations import Generations
from stats_pipeline.aggregations.interval_rows import IntervalRows
from stats_pipeline.aggregations.lease import Lease, Leases, acquire, is_at_rest
from stats_pipeline.clock import Clock
from stats_pipeline.errors import (
    LeaseLost,
    StatsError,
    StoreError,
    StoreRefused,
    StoreUnavailable,
    without_title,
)
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.reports import AggregationReport
from stats_pipeline.stores.protocol import Record, Store
from stats_pipeline.text import get_logger

logger = get_logger(__name__)


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
        self._rows = IntervalRows(definition, store=store, clock=clock, generations=generations)
        #: Indices of intervals that the store has failed. Threads may add at the same time.
        self._failing: set[str] = set()

    def marks(self, generation: int) -> DirtyMarks:
        """Return the marks of a generation."""
        name = self._generations.done_name(generation)
        return DirtyMarks(self._store.state, self._definition, name)

    def attempt(
        self, generation: int, interval: DirtyInterval, started: datetime
    ) -> AggregationReport | None:
        """Recompute one interval; None where another run holds it. Its failure is its report's.

        Raises:
            StoreUnavailable, StoreRefused: of what any interval needs, leases and marks.
        """
        indices = self._rows.indices(generation, interval.period)
        if indices <= self._failing:
            # It would meet the same, perhaps after a minute of waiting.
            return AggregationReport(pending=(interval.label,))
        try:
            return self._do(generation, interval, started)
        except _HeldError:
            return None
        except (StoreUnavailable, StoreRefused):
            raise  # the other intervals would meet the same
        except LeaseLost as error:
            logger.warning("%s: %s; it will be done again", self._definition.title, error)
            return AggregationReport(pending=(interval.label,))
        except StatsError as error:
            if isinstance(error, StoreError | _IntervalError):
                self._failing |= indices
            text = without_title(error, self._definition.title)
            logger.error("%s, %s: %s", self._definition.title, interval.label, text)
            return AggregationReport(pending=(interval.label,), error=text)
        except Exception as error:
            logger.exception("%s, %s", self._definition.title, interval.label)
            return AggregationReport(pending=(interval.label,), error=repr(error))

    def _do(self, generation: int, interval: DirtyInterval, started: datetime) -> AggregationReport:
        key = f"{self._generations.done_name(generation)}/{interval.label}"
        if self._is_at_rest(key, generation, interval):
            return AggregationReport()
        with self._held(key) as lease, self._alone_with_flags() as flags:
            leases = Leases([lease, *flags])
            return self._under_leases(generation, interval, leases, started)

    def _is_at_rest(self, key: str, generation: int, interval: DirtyInterval) -> bool:
        def seen() -> list[str]:
            return _seen(self.marks(generation).read(interval))

        return is_at_rest(self._store.state, self._clock, key, seen)

    @contextmanager
    def _held(self, key: str) -> Iterator[Lease]:
        lease = acquire(self._store.state, self._clock, key, self._lease_seconds)
        if lease is None:
            raise _HeldError
        with lease.held():
            yield lease

    @contextmanager
    def _alone_with_flags(self) -> Iterator[list[Lease]]:
        """Keep others from the flags of double clicks, where the event type has the sliding rule.

        Another aggregation of these events that began earlier could otherwise set flags from what
        it saw then, between this run's flags and its count.
        """
        if not self._definition.event.config.sliding_seconds:
            yield []
            return
        with self._held(flags_key(self._definition.event)) as lease:
            yield [lease]

    def _under_leases(
        self, generation: int, interval: DirtyInterval, leases: Leases, started: datetime
    ) -> AggregationReport:
        """Do one interval under its leases. The order of these steps is what makes it exact."""
        marks, period = self.marks(generation), interval.period
        if marks.is_sealed(period):
            return AggregationReport()  # meanwhile
        read = marks.read(interval)
        if interval.mark_keys and not read:
            return AggregationReport()  # another run was faster
        hours = [mark.time for mark in read if mark.time is not None]
        try:
            report = self._rows.bring(generation, period, hours, leases)
        except (StoreUnavailable, StoreRefused) as error:
            if not self._generations.is_alive(generation):
                raise LeaseLost(f"A reset has replaced generation {generation}") from error
            # An index of this interval may be blocked, closed or red: others have their own.
            raise _IntervalError(str(error)) from error
        leases.confirm()
        suspect_until = leases.suspect_until(started)
        if suspect_until:
            # An earlier holder may only have been stopped, and write again: the marks stay.
            leases.held[0].suspect(suspect_until, _seen(read))
            return report
        marks.finish(read, period)
        try:
            leases.confirm()
        except LeaseLost:
            marks.reopen(read, period)
            raise
        return report


def _seen(read: Sequence[Record]) -> list[str]:
    return [f"{mark.key} {mark.version}" for mark in read]


class _IntervalError(StatsError):
    """Say why one interval can't be computed now, whatever becomes of the others."""


class _HeldError(Exception):
    """Say that another run is at work on the interval, or on the flags of its events."""
