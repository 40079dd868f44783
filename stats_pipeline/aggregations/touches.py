"""Touches: what was written to rows, said counter by counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stats_pipeline.reports import AggregationReport, Touched


class Touches:
    """Count how often each counter was created or updated by the rows of one interval.

    The first counter of a new row creates it, the others update it.

    Args:
        counters: fields of the rows, in their order.
    """

    def __init__(self, counters: Sequence[str]) -> None:
        self._created = dict.fromkeys(counters, 0)
        self._updated = dict.fromkeys(counters, 0)

    def wrote(self, body: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        """Count a row that was written; `before` is what was there."""
        old = before or {}
        touched = [name for name in self._created if body.get(name, 0) != old.get(name, 0)]
        if before is None and touched:
            self._created[touched.pop(0)] += 1
        for name in touched:
            self._updated[name] += 1

    def report(self) -> AggregationReport:
        """Return what was counted."""
        counters = {
            name: Touched(created=created, updated=self._updated[name])
            for name, created in self._created.items()
        }
        return AggregationReport(counters=counters)


def with_days(report: AggregationReport, days: Sequence[AggregationReport]) -> AggregationReport:
    """Return the report of an interval whose rows follow from those of these days.

    Each day of a row that was touched has touched the row. A value that does not fit in a day's
    row is why one of the interval does not.
    """
    counters = {}
    for name, own in report.counters.items():
        of_days = [day.counters[name] for day in days if name in day.counters]
        touches = sum(one.created + one.updated for one in of_days)
        counters[name] = replace(own, updated=max(own.updated, touches - own.created))
    unfit = next(filter(None, (day.unfit for day in days)), report.unfit)
    return replace(report, counters=counters, unfit=unfit)
