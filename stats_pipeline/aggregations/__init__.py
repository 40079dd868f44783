"""The second stage: from events to rows, one for each interval and combination of dimensions.

marks say which intervals are dirty -> a lease keeps others away -> the aggregator computes the rows
anew from the events -> what differs is written -> the marks say that it is done
"""

from stats_pipeline.aggregations.aggregator import StatAggregator
from stats_pipeline.aggregations.modifiers import exclude_machines, exclude_robots

__all__ = ["StatAggregator", "exclude_machines", "exclude_robots"]
