"""Reports: what a job did, as frozen dataclasses that become dicts."""

from stats_pipeline.reports.balance import Balance, BalanceReport, Missing
from stats_pipeline.reports.processing import (
    OUTCOMES,
    Outcome,
    ProcessCounters,
    ProcessingReport,
    TypeReport,
)
from stats_pipeline.reports.retention import Due, RetentionReport
from stats_pipeline.reports.updating import AggregationReport, Touched, UpdateReport, as_asked

__all__ = [
    "OUTCOMES",
    "AggregationReport",
    "Balance",
    "BalanceReport",
    "Due",
    "Missing",
    "Outcome",
    "ProcessCounters",
    "ProcessingReport",
    "RetentionReport",
    "Touched",
    "TypeReport",
    "UpdateReport",
    "as_asked",
]
