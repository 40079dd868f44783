"""Runs: intervals of one aggregation to be recomputed once each, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from threading import Lock

from stats_pipeline.aggregations.dirty import DirtyInterval
from stats_pipeline.aggregations.parallel import in_threads
from stats_pipeline.aggregations.recompute import Recompute
from stats_pipeline.aggregations.steps import Steps
from stats_pipeline.clock import Clock
from stats_pipeline.errors import StatsError, without_title
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.reports import AggregationReport, Touched
from stats_pipeline.text import get_logger, noun

logger = get_logger(__name__)

#: How often a run looks whether an interval that another one holds has become free.
POLL_SECONDS = 0.25


class Run:
    """Recompute these intervals of one generation, and report what became of each.

    Its methods may be called by several threads.

    Args:
        definition: of the aggregation.
        recompute: does one interval.
        generation: whose rows these are.
        intervals: what to do, oldest first.
        started: when the run began, before it looked for what to do.
        clock: for waiting.
        handed_over: starts of intervals that somebody else was asked to do.
        should_stop: asked before each interval; what is left then is pending.
    """

    def __init__(
        self,
        definition: AggregationDefinition,
        recompute: Recompute,
        generation: int,
        intervals: Sequence[DirtyInterval],
        *,
        started: datetime,
        clock: Clock,
        handed_over: Sequence[str] = (),
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self.started = started
        self.intervals = intervals
        self._definition = definition
        self._recompute = recompute
        self._generation = generation
        self._clock = clock
        self._lock = Lock()
        self._report = AggregationReport(
            pending=tuple(handed_over),
            counters=dict.fromkeys(definition.counters, Touched()),
        )
        self._held: list[DirtyInterval] = []
        self._should_stop = should_stop or (lambda: False)
        self._has_failed = False

    def lane(self, interval: DirtyInterval) -> object:
        """Return what an interval shares with all that may not be done at the same time."""
        event = self._definition.event
        # Runs that set the flags of double clicks of the same events keep each other out.
        is_sliding = event.config.sliding_seconds
        return event.alias if is_sliding else (self._definition.name, interval.period)

    def attempt(self, interval: DirtyInterval) -> bool:
        """Do one interval, unless the store has failed this run; False where another run holds it.

        What is held waits for `finish`.
        """
        if self._has_failed or self._should_stop():
            self._add(AggregationReport(pending=(interval.label,)))
            return True
        try:
            result = self._recompute.attempt(self._generation, interval, self.started)
        except StatsError as error:
            # The other intervals would meet the same.
            text = without_title(error, self._definition.title)
            logger.error("%s: %s", self._definition.title, text)
            self._has_failed = True
            result = AggregationReport(pending=(interval.label,), error=text)
        if result is None:
            self._held.append(interval)
            return False
        self._add(result)
        return True

    def finish(self, patience_seconds: float, steps: Steps) -> AggregationReport:
        """Do the intervals that other runs held, as soon as these let go; return the report."""
        held, self._held = sorted(self._held, key=lambda interval: interval.period), []
        deadline = self._clock.monotonic() + patience_seconds
        if held and patience_seconds:
            waiting = (
                f"{self._definition.title}: waiting for {len(held)} "
                f"{noun(len(held), 'interval')} that another run holds, up to "
                f"{patience_seconds:.0f} s: if it was killed, its leases end by then"
            )
            logger.info("%s", waiting)
            steps.wait(waiting)
        while held and self._clock.monotonic() < deadline and not self._should_stop():
            self._clock.sleep(POLL_SECONDS)
            for interval in held:
                if self.attempt(interval):
                    steps.step()
            held, self._held = self._held, []
        self._add(AggregationReport(pending=tuple(interval.label for interval in held)))
        return replace(self._report, pending=tuple(sorted(self._report.pending)))

    def _add(self, report: AggregationReport) -> None:
        with self._lock:
            self._report += report


Task = tuple[Run, DirtyInterval]


def do_all(runs: Sequence[Run], *, threads: int, steps: Steps) -> None:
    """Do the intervals of all these runs, so many at a time.

    Args:
        runs: what to do.
        threads: how many at a time.
        steps: told of those that are done; what other runs hold is not.
    """
    steps.expect(sum(len(run.intervals) for run in runs))
    lanes: dict[object, list[Task]] = {}
    for run in runs:
        for interval in run.intervals:
            lanes.setdefault(run.lane(interval), []).append((run, interval))
    for _, is_done in in_threads(_attempt, lanes.values(), threads=threads):
        if is_done:
            steps.step()


def _attempt(task: Task) -> bool:
    run, interval = task
    return run.attempt(interval)
