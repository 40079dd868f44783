"""Counted: what an aggregation still needs of its events, which retention must not delete."""

from __future__ import annotations

from datetime import datetime

from stats_pipeline.aggregations.dirty import DirtyMarks
from stats_pipeline.aggregations.generations import Generations
from stats_pipeline.clock import MILLISECOND
from stats_pipeline.intervals import IntervalName, Period, period_of
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.stores import marks
from stats_pipeline.stores.protocol import Record, Store
from stats_pipeline.stores.seals import Seal


class Counted:
    """Say what the rows that readers see of one aggregation have taken into account."""

    def __init__(self, definition: AggregationDefinition, store: Store) -> None:
        self.title = definition.title
        self._definition = definition
        self._state = store.state
        self._done_name = Generations(store, definition).current_done_name()
        self._marks = DirtyMarks(self._state, definition, self._done_name)

    def first_uncounted(self, end: datetime, seal: Seal) -> datetime | None:
        """Return the first hour before the end of which not all is counted, None if all is."""
        alias = self._definition.event.alias
        for mark in marks.dirty_hours(self._state, alias, self._done_name, end=end):
            if self._marks.is_dirty(mark, seal):
                return mark.time
        return None

    def is_dirty(self, mark: Record, seal: Seal) -> bool:
        """Tell whether an interval that is not sealed has yet to take this mark into account."""
        return self._marks.is_dirty(mark, seal)

    def unsealed(self, period: Period, seal: Seal) -> Period | None:
        """Return an interval that overlaps this period and needs its events, None if none does.

        Of intervals that follow from their days, a day.
        """
        config = self._definition.config
        unit: IntervalName = config.aggregation_interval
        if self._definition.follows_from_days:
            unit = "day"
        last = period_of(period.end - MILLISECOND, unit, config.time_zone)
        return None if seal.is_sealed(last) else last
