"""Aggregating: bring several aggregations up to date, or recompute them, each on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, tzinfo

from stats_pipeline.aggregations.run import Run, do_all
from stats_pipeline.aggregations.steps import Steps
from stats_pipeline.aggregations.update import AggregationUpdate, HandOver, Range
from stats_pipeline.clock import Clock, format_time
from stats_pipeline.errors import InvalidParameter, StatsError, without_title
from stats_pipeline.pipeline.runs import Runs, aggregated
from stats_pipeline.queries.parameters import read_end, read_start
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.reports import AggregationReport, UpdateReport, as_asked
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

NOT_BEGUN = "the reset was told to end before it had begun with this one; run it again"

Reports = dict[str, AggregationReport]
Definitions = Sequence[AggregationDefinition]
When = str | datetime | None


class Aggregating:
    """Update or reset aggregations, and keep what these runs did.

    Args:
        updating: returns what updates and resets one aggregation.
        run_log: keeps the runs.
        clock: for their times.
        threads: how many intervals an update works on at the same time.
    """

    def __init__(
        self,
        updating: Callable[[AggregationDefinition], AggregationUpdate],
        *,
        run_log: Runs,
        clock: Clock,
        threads: int,
    ) -> None:
        self._updating = updating
        self._run_log = run_log
        self._clock = clock
        self._threads = threads

    def update(
        self,
        definitions: Definitions,
        start: When,
        end: When,
        steps: Steps,
        *,
        hand_over: HandOver | None,
        should_stop: Callable[[], bool] | None,
    ) -> UpdateReport:
        """Bring these up to what was processed; one that fails does not stop the others.

        The intervals of all of them are independent tasks of the same threads. With `hand_over`,
        what other workers hold is left to them; without it, this waits, at most a lease's life.
        When it should stop, it finishes the intervals that are under way.

        Raises:
            InvalidParameter: start or end is no time.
        """
        began = self._clock.now()
        reports: Reports = {}
        begun: list[tuple[AggregationDefinition, AggregationUpdate, Range, Run]] = []
        for definition in definitions:
            with _reporting(definition, reports):
                asked = _range(start, end, definition.config.time_zone)
                updating = self._updating(definition)
                run = updating.begin(
                    asked, started=began, hand_over=hand_over, should_stop=should_stop
                )
                begun.append((definition, updating, asked, run))
        do_all([run for *_, run in begun], threads=self._threads, steps=steps)
        for definition, updating, asked, run in begun:
            with _reporting(definition, reports):
                is_patient = hand_over is None
                reports[definition.name] = updating.end(
                    run, asked, steps=steps, is_patient=is_patient
                )
        return self._keep("update", began, reports, (start, end))

    def reset(
        self,
        definitions: Definitions,
        start: When,
        end: When,
        steps: Steps,
        *,
        should_stop: Callable[[], bool] | None,
    ) -> UpdateReport:
        """Recompute these from the events; one that fails does not stop the others.

        When it should stop, it finishes the intervals that are under way.

        Raises:
            InvalidParameter: start or end is no time.
        """
        began = self._clock.now()
        reports: Reports = {}
        planned = {each.name: self._planned(each, start, end, steps) for each in definitions}
        for definition in definitions:
            steps.expect(-planned[definition.name])  # from here on it is known
            with _reporting(definition, reports):
                asked = _range(start, end, definition.config.time_zone)
                if should_stop is not None and should_stop():
                    reports[definition.name] = AggregationReport(error=NOT_BEGUN)
                    continue
                reports[definition.name] = self._updating(definition).reset(
                    asked, started=began, steps=steps, should_stop=should_stop
                )
        return self._keep("reset", began, reports, (start, end))

    def _planned(
        self, definition: AggregationDefinition, start: When, end: When, steps: Steps
    ) -> int:
        """Let the job reckon with what a reset has to do; return how many intervals."""
        if not steps.is_seen:
            return 0
        number = 0
        with suppress(Exception):  # whatever it is, the reset itself says it
            asked = _range(start, end, definition.config.time_zone)
            number = self._updating(definition).planned(asked)
        steps.expect(number)
        return number

    def _keep(
        self, job: str, began: datetime, reports: Reports, asked: tuple[When, When]
    ) -> UpdateReport:
        start, end = map(as_asked, asked)
        report = UpdateReport(
            aggregations=reports,
            started_at=format_time(began),
            ended_at=format_time(self._clock.now()),
            start=start,
            end=end,
        )
        self._run_log.keep(job, began, **aggregated(report))
        return report


@contextmanager
def _reporting(definition: AggregationDefinition, reports: Reports) -> Iterator[None]:
    """Let what goes wrong be the aggregation's report, so that the others go on."""
    try:
        yield
    except InvalidParameter:
        raise
    except StatsError as error:
        text = without_title(error, definition.title)
        logger.error("%s: %s", definition.title, text)
        reports[definition.name] = AggregationReport(error=text)
    except Exception as error:
        logger.exception("%s", definition.title)
        reports[definition.name] = AggregationReport(error=repr(error))


def _range(start: When, end: When, zone: tzinfo) -> Range:
    """Return what was asked; a bare date is a whole day in the zone, as an end as well."""
    bounds: list[datetime | None] = []
    for name, value, read in (("start", start, read_start), ("end", end, read_end)):
        try:
            bounds.append(None if value is None else read(value, zone))
        except ValueError as error:
            raise InvalidParameter(f"{name} {error}", parameter=name) from None
    asked = Range(*bounds)
    if asked.start and asked.end and asked.start >= asked.end:
        raise InvalidParameter(f"the start {start} is not before the end {end}", parameter="start")
    return asked
