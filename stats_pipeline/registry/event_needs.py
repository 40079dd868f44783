"""Which rows need their events: what may be put together from days, and how long events stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stats_pipeline.errors import DefinitionError
from stats_pipeline.importing import load
from stats_pipeline.intervals import IntervalName, is_shorter
from stats_pipeline.metrics import Count, Max, Min, Sum
from stats_pipeline.model import Aggregation
from stats_pipeline.registry.config import AggregatorConfig

#: How many days the events of one interval stretch over, at most; those of all time never end.
LONGEST_DAYS: Mapping[IntervalName, int] = {
    "hour": 1,
    "day": 1,
    "week": 7,
    "month": 31,
    "quarter": 92,
    "year": 366,
}


def rows_follow_from_days(config: AggregatorConfig, aggregator_class: Any) -> bool:
    """Tell whether the rows of an interval follow from those of its days.

    Exact uniques don't, nor means, first and last values; nor may the rows of an aggregator of the
    host's own.
    """
    return (
        is_shorter("day", config.aggregation_interval)
        and all(isinstance(metric, Count | Sum | Min | Max) for metric in config.metrics.values())
        and aggregator_class is load(Aggregation.aggregator_class, owner="stats_pipeline")
    )


def check_retention(
    config: AggregatorConfig, retention_days: int, *, owner: str, event_title: str
) -> None:
    """Refuse a retention that does not cover one interval of rows that need its events.

    Raises:
        DefinitionError: naming both, and what is allowed.
    """
    interval = config.aggregation_interval
    needed = LONGEST_DAYS.get(interval)
    if needed is not None and retention_days >= needed:
        return
    allowed = f"at least {needed} days" if needed else "no retention_days at all"
    raise DefinitionError(
        f"{owner}: the rows of {f'one {interval}' if needed else 'all time'} are computed "
        f"from its events, since only counts, sums, lowest and highest values (by our own "
        f"aggregator) follow from days; but retention_days={retention_days} of {event_title} "
        f"deletes them before. That needs {allowed}, or a shorter aggregation_interval"
    )
