"""Update and reset: bring the rows of one aggregation to what the events say.

Both are the same work on dirty intervals. An update works on the generation that readers see; a
reset works on a new one, or, for a range, on the intervals of that range after making them dirty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stats_pipeline.aggregations.as_of import read_as_of, record_as_of
from stats_pipeline.aggregations.dirty import DirtyInterval
from stats_pipeline.aggregations.generations import Generations
from stats_pipeline.aggregations.imported import counted_twice
from stats_pipeline.aggregations.plan import contents_of, plan_of
from stats_pipeline.aggregations.recompute import Recompute
from stats_pipeline.aggregations.run import Run, do_all
from stats_pipeline.aggregations.steps import Steps
from stats_pipeline.aggregations.take_over import TakeOver
from stats_pipeline.clock import Clock, parse_time
from stats_pipeline.errors import LeaseLost, StatsError, StoreError, without_title
from stats_pipeline.intervals import Period, period_of
from stats_pipeline.model import Filter
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.reports import AggregationReport
from stats_pipeline.stores import fixed
from stats_pipeline.stores.protocol import Store
from stats_pipeline.stores.seals import Seal, read_seal
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

#: Takes the name of an aggregation and intervals that somebody else should recompute.
HandOver = Callable[[str, Sequence[Period]], None]

#: So many intervals one of several workers does before the others get the rest.
INTERVALS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Range:
    """Be the asked part of time, half-open; None leaves a side open."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_everything(self) -> bool:
        """Tell whether nothing was left out."""
        return self.start is None and self.end is None


class AggregationUpdate:
    """Update or reset one aggregation.

    Args:
        definition: of the aggregation.
        store: where events, rows, marks and leases live.
        clock: for leases.
        lease_seconds: how long a run that stopped answering keeps an interval.
        threads: how many intervals a reset works on at the same time.
    """

    def __init__(
        self,
        definition: AggregationDefinition,
        *,
        store: Store,
        clock: Clock,
        lease_seconds: float,
        threads: int,
    ) -> None:
        self._definition = definition
        self._threads = threads
        self._store = store
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._generations = Generations(store, definition)
        self._take_over = TakeOver(
            definition, store=store, clock=clock, generations=self._generations
        )
        self._recompute = Recompute(
            definition,
            store=store,
            clock=clock,
            lease_seconds=lease_seconds,
            generations=self._generations,
        )

    def begin(
        self,
        asked: Range,
        *,
        started: datetime,
        hand_over: HandOver | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Run:
        """Return the dirty intervals of what readers see, to be done; then call `end`.

        Args:
            asked: only intervals that overlap it.
            started: when the run began, of which this may be a part.
            hand_over: takes what is too much for one of several workers.
            should_stop: asked before each interval; what is left then stays dirty.
        """
        generation = self._generations.current()
        self._refuse_changes(generation)
        intervals = self._recompute.marks(generation).intervals(asked.start, asked.end)
        rest: list[DirtyInterval] = []
        if hand_over and len(intervals) > INTERVALS_AT_ONCE:
            intervals, rest = intervals[:INTERVALS_AT_ONCE], intervals[INTERVALS_AT_ONCE:]
            hand_over(self._definition.name, [interval.period for interval in rest])
        handed_over = [interval.label for interval in rest]
        return self._run(generation, intervals, started, handed_over, should_stop)

    def end(
        self, run: Run, asked: Range, *, steps: Steps, is_patient: bool = True
    ) -> AggregationReport:
        """Show readers what the run did, and return its report.

        Args:
            run: what `begin` returned, after all of it was tried.
            asked: as it was given to `begin`.
            steps: told of what others held.
            is_patient: wait for what others hold, at most a lease's life.
        """
        report = run.finish(self._lease_seconds if is_patient else 0, steps)
        try:
            if run.intervals:
                self._store.refresh([self._definition.alias])
                report += self._counted_twice([interval.period for interval in run.intervals])
            if report.is_complete and asked.is_everything:
                record_as_of(self._store, self._definition.alias, run.started)
        except StatsError as error:
            text = without_title(error, self._definition.title)
            logger.error("%s: %s", self._definition.title, text)
            report += AggregationReport(error=text)
        return report

    def reset(
        self,
        asked: Range,
        *,
        started: datetime,
        steps: Steps,
        should_stop: Callable[[], bool] | None = None,
    ) -> AggregationReport:
        """Recompute everything (in a new generation), or every interval of a range (in place).

        Args:
            asked: the range.
            started: when the run began, of which this may be a part.
            steps: told of the intervals.
            should_stop: asked before each interval; what is left then is pending.
        """
        if not asked.is_everything:
            return self._reset_range(asked, started, steps, should_stop)
        self._refuse_changed_events()
        generation = self._generations.start_next(plan_of(self._definition, self._fixed_values()))
        self._refuse_changes(generation)
        report = self._build(generation, started, steps, should_stop)
        if report.is_complete:
            # Before readers see them: they would miss what was written last.
            self._store.refresh(self._generations.index_names(generation))
            replaced = self._replaced(generation)
            if not self._generations.switch_to(generation):
                return report + AggregationReport(error="A reset that began later takes its place")
            record_as_of(self._store, self._definition.alias, started)
            report += replaced
            report += self._counted_twice(None)
        return report

    def planned(self, asked: Range) -> int:
        """Return how many intervals `reset` will do, as far as that can be known before it."""
        plan = plan_of(self._definition, self._fixed_values())
        generation = self._generations.to_build(plan if asked.is_everything else None)
        known = self._recompute.marks(generation).intervals(asked.start, asked.end)
        if asked.is_everything:
            of_rows = self._intervals_of_days(self._generations.current())
        else:
            of_rows = self._intervals_of_rows([self._definition.alias], asked)
        return len(_united(known, of_rows))

    def _replaced(self, generation: int) -> AggregationReport:
        """Return what is deleted when this generation takes the place of the one before."""
        source = self._generations.replaced_by(generation)
        if source is None:
            return AggregationReport()  # another run has ended this reset, and has it
        names = self._generations.index_names(source)
        try:
            self._store.refresh(names)
            with self._store.snapshot(names) as rows:
                kept = sum(map(rows.count, self._take_over.kept(self._seal())))
                return AggregationReport(deleted=rows.count(Filter()) - kept)
        except StoreError as error:
            # A reset is the way out where old rows can't be read any more.
            logger.warning("%s: old rows are not counted: %s", self._definition.title, error)
            return AggregationReport()

    def _build(
        self,
        generation: int,
        started: datetime,
        steps: Steps,
        should_stop: Callable[[], bool] | None,
    ) -> AggregationReport:
        """Take over what is final, and compute the rest."""
        report = AggregationReport()
        is_over = False
        while not is_over:
            seal = self._seal()
            try:
                taken = self._take_over.bring(generation, seal, self._fixed_values())
            except LeaseLost as error:
                return report + AggregationReport(error=str(error))
            dirty = self._recompute.marks(generation).intervals(None, None)
            intervals = _united(dirty, self._intervals_of_days(generation))
            report += self._do(generation, intervals, started, steps, should_stop)
            # What was sealed meanwhile may have been left out, and its events may be gone.
            is_over = not report.is_complete or self._seal().final == seal.final
        return report + AggregationReport(unchanged=taken, sealed_before=seal.reached_from(None))

    def _intervals_of_days(self, generation: int) -> list[DirtyInterval]:
        """Return the intervals that have day rows: perhaps no mark speaks of them any more."""
        if not self._definition.follows_from_days:
            return []
        names = self._generations.day_index_names(generation)
        return self._intervals_of_rows(names, Range())

    def _reset_range(
        self,
        asked: Range,
        started: datetime,
        steps: Steps,
        should_stop: Callable[[], bool] | None,
    ) -> AggregationReport:
        generation = self._generations.current()
        self._refuse_changes(generation)
        marks = self._recompute.marks(generation)
        marks.reopen_all(asked.start, asked.end)
        dirty = marks.intervals(asked.start, asked.end)
        # Those that have rows but no events, too: these must go.
        intervals = _united(dirty, self._intervals_of_rows([self._definition.alias], asked))
        report = self._do(generation, intervals, started, steps, should_stop)
        self._store.refresh([self._definition.alias])
        report += self._counted_twice([interval.period for interval in intervals])
        return report + AggregationReport(sealed_before=self._seal().reached_from(asked.start))

    def _intervals_of_rows(self, names: Sequence[str], asked: Range) -> list[DirtyInterval]:
        """Return the intervals of the range of which these indices or aliases have rows."""
        config = self._definition.config
        start = asked.start  # of the interval that it lies in: that one overlaps the range, too
        if start is not None:
            start = period_of(start, config.aggregation_interval, config.time_zone).start
        where = Filter().between("timestamp", start, asked.end)
        self._store.refresh(names)
        with self._store.snapshot(names) as rows:
            starts = [parse_time(group.key[0]) for group in rows.groups(where, ["timestamp"], {})]
        periods = {
            period_of(start, config.aggregation_interval, config.time_zone) for start in starts
        }
        return [DirtyInterval(period) for period in sorted(periods)]

    def _counted_twice(self, periods: Sequence[Period] | None) -> AggregationReport:
        """Report, and log, which of these intervals (None: of all) have imported rows as well."""
        found = counted_twice(self._store, self._definition, periods)
        if found:
            logger.warning(
                "%s: answers add imported rows to those that were counted here in %d of the "
                "intervals (%s, ...): see `stats rows list`",
                self._definition.title,
                len(found),
                found[0],
            )
        return AggregationReport(counted_twice=found)

    def _seal(self) -> Seal:
        return read_seal(self._store.state, self._definition.event.alias)

    def dirty(self) -> list[Period]:
        """Return the intervals that an update would recompute now, oldest first."""
        intervals = self._recompute.marks(self._generations.current()).intervals(None, None)
        return [interval.period for interval in intervals]

    def check(self) -> None:
        """Refuse a configuration under which `update` would refuse to work; write no row.

        Raises:
            DefinitionError: it does not fit to the events or the rows that are there.
        """
        self._refuse_changed_events()
        fixed.check(**self._fixed(self._generations.current()))

    def as_of(self) -> datetime | None:
        """Return the start of the last complete update, None where there was none."""
        return read_as_of(self._store, self._definition.alias)

    def _do(
        self,
        generation: int,
        intervals: Sequence[DirtyInterval],
        started: datetime,
        steps: Steps,
        should_stop: Callable[[], bool] | None,
    ) -> AggregationReport:
        run = self._run(generation, intervals, started, should_stop=should_stop)
        do_all([run], threads=self._threads, steps=steps)
        return run.finish(self._lease_seconds, steps)

    def _run(
        self,
        generation: int,
        intervals: Sequence[DirtyInterval],
        started: datetime,
        handed_over: Sequence[str] = (),
        should_stop: Callable[[], bool] | None = None,
    ) -> Run:
        return Run(
            self._definition,
            self._recompute,
            generation,
            intervals,
            started=started,
            clock=self._clock,
            handed_over=handed_over,
            should_stop=should_stop,
        )

    def _refuse_changes(self, generation: int) -> None:
        """Refuse a configuration under which these rows would not fit to those that are there."""
        self._refuse_changed_events()
        fixed.hold(**self._fixed(generation))

    def _fixed(self, generation: int) -> dict[str, Any]:
        """Return what of these rows can't change, as `fixed` takes it."""
        return {
            "state": self._store.state,
            "name": self._generations.done_name(generation),
            "values": {**self._fixed_values(), **contents_of(self._definition)},
            "title": self._definition.title,
            "way_out": f"set it back, or run `stats reset {self._definition.name}`",
        }

    def _refuse_changed_events(self) -> None:
        """Refuse a configuration by which the events would be looked for where they are not."""
        fixed.check(self._store.state, **self._definition.event.fixed)

    def _fixed_values(self) -> dict[str, Any]:
        config = self._definition.config
        return {
            "event": config.event,
            "aggregation_field": list(config.aggregation_field),
            "aggregation_interval": config.aggregation_interval,
            "index_interval": config.index_interval,
            "time_zone": str(config.time_zone),
            # Rows that were put together from events have no day rows to follow from.
            "from_days": self._definition.follows_from_days,
        }


def _united(
    dirty: Sequence[DirtyInterval], of_rows: Sequence[DirtyInterval]
) -> list[DirtyInterval]:
    """Return the dirty intervals, and those of which there are only rows."""
    known = {interval.period for interval in dirty}
    return [*dirty, *(interval for interval in of_rows if interval.period not in known)]
