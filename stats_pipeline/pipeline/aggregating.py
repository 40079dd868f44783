"""Aggregating: bring several aggregations up to date, or recompute them, each on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo

from stats_pipeline.aggregations.update import AggregationUpdate, HandOver, Range
from stats_pipeline.clock import Clock, format_time
from stats_pipeline.errors import InvalidParameter, StatsError
from stats_pipeline.pipeline.runs import Runs, aggregated
from stats_pipeline.queries.parameters import read_end, read_start
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.reports import AggregationReport, UpdateReport
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

Progress = Callable[[int, int], None]
When = str | datetime | None


class Aggregating:
    """Update or reset aggregations, and keep what these runs did.

    Args:
        updating: returns what updates and resets one aggregation.
        run_log: keeps the runs.
        clock: for their times.
    """

    def __init__(
        self,
        updating: Callable[[AggregationDefinition], AggregationUpdate],
        *,
        run_log: Runs,
        clock: Clock,
    ) -> None:
        self._updating = updating
        self._run_log = run_log
        self._clock = clock

    def update(
        self,
        definitions: Sequence[AggregationDefinition],
        start: When,
        end: When,
        progress: Progress | None,
        *,
        hand_over: HandOver | None,
    ) -> UpdateReport:
        """Bring these up to what was processed; one that fails does not stop the others.

        Raises:
            InvalidParameter: start or end is no time.
        """

        def update(definition: AggregationDefinition) -> AggregationReport:
            asked = _range(start, end, definition.config.time_zone)
            return self._updating(definition).update(asked, progress, hand_over=hand_over)

        return self._each("update", definitions, update)

    def reset(
        self,
        definitions: Sequence[AggregationDefinition],
        start: When,
        end: When,
        progress: Progress | None,
    ) -> UpdateReport:
        """Recompute these from the events; one that fails does not stop the others.

        Raises:
            InvalidParameter: start or end is no time.
        """

        def reset(definition: AggregationDefinition) -> AggregationReport:
            asked = _range(start, end, definition.config.time_zone)
            return self._updating(definition).reset(asked, progress)

        return self._each("reset", definitions, reset)

    def _each(
        self,
        job: str,
        definitions: Sequence[AggregationDefinition],
        do: Callable[[AggregationDefinition], AggregationReport],
    ) -> UpdateReport:
        started = self._clock.now()
        reports = {}
        for definition in definitions:
            try:
                reports[definition.name] = do(definition)
            except InvalidParameter:
                raise
            except StatsError as error:
                logger.error("%s: %s", definition.title, error)
                reports[definition.name] = AggregationReport(error=str(error))
        report = UpdateReport(aggregations=reports, started_at=format_time(started))
        self._run_log.keep(job, started, **aggregated(report))
        return report


def _range(start: When, end: When, zone: tzinfo) -> Range:
    """Return what was asked; a bare date is a whole day in the zone, as an end as well."""
    bounds: list[datetime | None] = []
    for name, value, read in (("start", start, read_start), ("end", end, read_end)):
        try:
            bounds.append(None if value is None else read(value, zone))
        except ValueError as error:
            raise InvalidParameter(f"{name} {error}", parameter=name) from None
    return Range(*bounds)
