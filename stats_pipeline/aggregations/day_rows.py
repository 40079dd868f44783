"""Day rows: intervals longer than a day are put together from the rows of their days.

So an event that comes late costs one day's events, not those of a year. These rows belong to one
aggregation and are seen by nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator

from stats_pipeline.aggregations.aggregator import Row, make_row
from stats_pipeline.intervals import Period
from stats_pipeline.metrics import Max, Metric, Min, Sum
from stats_pipeline.model import Filter
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.stores.protocol import Snapshot


def rows_from_days(
    definition: AggregationDefinition, days: Snapshot, period: Period
) -> Iterator[Row]:
    """Yield the rows of an interval from its day rows, by dimensions ascending."""
    config = definition.config
    metrics = {"count": Sum("count")} | {
        name: _of_days(name, metric) for name, metric in config.metrics.items()
    }
    where = Filter().between("timestamp", period.start, period.end)
    newest_by = ("timestamp",) if config.copy_fields else ()
    for group in days.groups(where, config.aggregation_field, metrics, newest_by=newest_by):
        newest = group.newest or {}
        copied = {target: newest.get(target) for target in config.copy_fields}
        yield make_row(definition, group.key, period, {**copied, **group.values})


def _of_days(name: str, metric: Metric) -> Metric:
    if isinstance(metric, Min):
        return Min(name)
    return Max(name) if isinstance(metric, Max) else Sum(name)
