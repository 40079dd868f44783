"""The rows of one interval: bring what is stored to what the events say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from stats_pipeline.aggregations.aggregator import Row
from stats_pipeline.aggregations.day_rows import rows_from_days
from stats_pipeline.aggregations.differences import DifferenceWriter
from stats_pipeline.aggregations.double_clicks import set_flags
from stats_pipeline.aggregations.fitting import Fitting
from stats_pipeline.aggregations.generations import Generations
from stats_pipeline.aggregations.lease import Leases
from stats_pipeline.aggregations.touches import Touches, with_days
from stats_pipeline.clock import Clock, format_time, parse_time
from stats_pipeline.errors import IndexLost, StoreUnanswered
from stats_pipeline.intervals import HOUR, Period, period_of, tile
from stats_pipeline.model import Filter
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.reports import AggregationReport
from stats_pipeline.stores.indices import RETENTION, EventIndices
from stats_pipeline.stores.protocol import Store
from stats_pipeline.stores.seals import read_seal
from stats_pipeline.text import get_logger

logger = get_logger(__name__)


class IntervalRows:
    """Bring the rows of single intervals to what the events say.

    Args:
        definition: of the aggregation.
        store: where events and rows live.
        clock: for waiting between tries.
        generations: of the aggregation.
    """

    def __init__(
        self,
        definition: AggregationDefinition,
        *,
        store: Store,
        clock: Clock,
        generations: Generations,
    ) -> None:
        self._definition = definition
        self._store = store
        self._clock = clock
        self._generations = generations
        self._aggregator = definition.aggregator_class(definition)
        self._window = timedelta(seconds=definition.event.config.sliding_seconds)
        self._event_indices = EventIndices(
            store, definition.event.template, definition.event.config.index_interval
        )

    def indices(self, generation: int, period: Period) -> frozenset[str]:
        """Return the indices that an interval's events and rows may lie in."""
        rows = self._generations.index_name(generation, period.start)
        return frozenset({rows, *self._event_indices.names_of(period)})

    def bring(
        self, generation: int, period: Period, hours: Sequence[datetime], leases: Leases
    ) -> AggregationReport:
        """Do it for one interval.

        Args:
            generation: whose rows.
            period: the interval.
            hours: those of it that are dirty; none of them where its rows are looked at again.
            leases: held by this run.
        """
        report = self._bring(generation, period, hours, leases)
        if report.unfit:
            logger.error("%s: %s", self._definition.title, report.unfit)
        return report

    def _bring(
        self, generation: int, period: Period, hours: Sequence[datetime], leases: Leases
    ) -> AggregationReport:
        index = self._generations.index_name(generation, period.start)

        def ensure() -> None:
            self._generations.ensure_index(generation, period.start)

        if not self._definition.follows_from_days:
            return self._from_events(index, ensure, period, leases)
        seal = read_seal(self._store.state, self._definition.event.alias)
        of_days = [
            self._day_from_events(generation, day, leases)
            for day in self._days(generation, period, hours)
            if not seal.is_sealed(day)
        ]
        days = self._generations.day_index_names(generation)
        self._store.refresh([*days, index])
        with self._store.snapshot(days) as day_rows:
            computed = rows_from_days(self._definition, day_rows, period)
            report = self._write(index, ensure, period, computed, leases)
        return with_days(report, of_days)

    def _day_from_events(self, generation: int, day: Period, leases: Leases) -> AggregationReport:
        def ensure() -> None:
            self._generations.ensure_day_index(generation, day.start)

        index = self._generations.day_index_name(generation, day.start)
        return self._from_events(index, ensure, day, leases)

    def _from_events(
        self,
        index: str,
        ensure: Callable[[], None],
        period: Period,
        leases: Leases,
    ) -> AggregationReport:
        """Bring rows to what the events say; where they are gone, rows stay as they are."""
        gone = self._event_indices.gone(period)
        if gone and self._stays(period, gone):
            start = format_time(period.start)
            logger.info("%s: rows of %s stay: events are gone", self._definition.title, start)
            return AggregationReport()
        # The next click of the last events may lie in the next index.
        needed = Period(period.start, period.end + self._window)
        event_indices = self._event_indices.covering(needed)
        self._store.refresh([*event_indices, index])
        if self._window:
            self._flag_double_clicks(event_indices, period, leases)
        with self._store.snapshot(event_indices) as events:
            # An index that is gone looks like one without events. What goes from now on is either
            # still in this snapshot, or reading it fails.
            is_same = self._event_indices.covering(needed) == event_indices
            if not is_same or self._event_indices.gone(period) != gone:
                raise IndexLost(f"An index of {format_time(period.start)} has just been deleted")
            computed = self._aggregator.rows(events, period)
            return self._write(index, ensure, period, computed, leases)

    def _stays(self, period: Period, gone: Mapping[str, str]) -> bool:
        """Tell whether the rows of an interval of which events are gone are not computed any more.

        One of which a part is lost is computed from what is left, or what still comes would never
        count. Of what retention has deleted, no row was left that is not final.
        """
        if RETENTION in gone.values():
            return True
        return read_seal(self._store.state, self._definition.event.alias).is_lost(period)

    def _write(
        self,
        index: str,
        ensure: Callable[[], None],
        period: Period,
        computed: Iterator[Row],
        leases: Leases,
    ) -> AggregationReport:
        dimensions, start = self._definition.config.aggregation_field, format_time(period.start)
        stored_rows = Filter().where("timestamp", [start])
        touches = Touches(self._definition.counters)
        writer = DifferenceWriter(
            self._store, index, self._clock, prepare=ensure, leases=leases, touches=touches
        )
        fitting = Fitting(dimensions, start)
        with self._store.snapshot([index]) as rows:
            stored = rows.scan(stored_rows, dimensions)
            report = writer.write(fitting.watch(computed), stored, dimensions)
        return report + AggregationReport(unfit=fitting.text)

    def _days(self, generation: int, period: Period, hours: Sequence[datetime]) -> list[Period]:
        """Return the days to recompute: those of these hours, or all that have rows."""
        zone = self._definition.config.time_zone
        if hours:
            found = {day for hour in hours for day in tile(hour, hour + HOUR, "day", zone)}
            return sorted(day for day in found if day.overlaps(period))
        where = Filter().between("timestamp", period.start, period.end)
        names = self._generations.day_index_names(generation)
        with self._store.snapshot(names) as rows:
            starts = [parse_time(group.key[0]) for group in rows.groups(where, ["timestamp"], {})]
        return [period_of(start, "day", zone) for start in starts]

    def _flag_double_clicks(
        self, event_indices: Sequence[str], period: Period, leases: Leases
    ) -> None:
        """Bring the flags of the interval's events up to date and make them visible."""
        with self._store.snapshot(event_indices) as events:
            try:
                written = set_flags(
                    self._store,
                    events,
                    period,
                    window=self._window,
                    clock=self._clock,
                    check=leases.check,
                )
            except StoreUnanswered:
                leases.doubt()
                raise
        if written:
            self._store.refresh(event_indices)
