"""Buckets over time: how often per day, week, month, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

from stats_pipeline.clock import epoch_milliseconds, parse_time
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.intervals import IntervalName, Period, period_of, tile
from stats_pipeline.queries.parameters import (
    END_DATE,
    INTERVAL,
    START_DATE,
    ZERO_FILL,
    Parameter,
    read_flag,
    read_interval,
)
from stats_pipeline.queries.reading import Rows
from stats_pipeline.queries.row_metrics import Tally
from stats_pipeline.queries.rows_query import Asked, RowsQuery, time_text
from stats_pipeline.stores.protocol import Snapshot

#: Two years of hours, half a century of days; more than that is a mistyped date.
MOST_BUCKETS = 20_000


class DateHistogramQuery(RowsQuery):
    """Answer one bucket per interval, oldest first, empty ones between hits filled with zeros.

    A bucket has ``key`` (epoch milliseconds of its start), ``date``, its numbers, and the copied
    fields of its newest row unless it is empty. Buckets begin in the time zone of the rows. A row
    belongs to the asked range by its start.
    """

    own_parameters: ClassVar[tuple[Parameter, ...]] = (START_DATE, END_DATE, INTERVAL, ZERO_FILL)

    def check(self, params: Mapping[str, Any]) -> None:
        """Refuse parameters that no rows could answer, without reading anything."""
        super().check(params)
        self._interval(params, "hour")
        self._value(params, "zero_fill", read_flag, None)

    def _answer(self, snapshot: Snapshot, rows: Rows, asked: Asked) -> tuple[dict[str, Any], int]:
        interval = self._interval(asked.params, rows.interval)
        tallies: dict[Period, Tally] = {}
        for group in self._groups(snapshot, rows, asked, ("timestamp",)):
            period = period_of(parse_time(group.key[0]), interval, rows.zone)
            tallies.setdefault(period, Tally()).add(group, self.config.metrics)
        periods: Sequence[Period] = ()
        start, end = self._covered(list(tallies), asked)
        if start and end:
            periods = list(islice(tile(start, end, interval, rows.zone), MOST_BUCKETS + 1))
        if len(periods) > MOST_BUCKETS:
            raise InvalidParameter(
                f"{self.name}: from {time_text(start)} to {time_text(end)} there are more than "
                f"{MOST_BUCKETS} buckets of one {interval}; give a longer 'interval', or a "
                "'start_date' and 'end_date' that are closer together",
                parameter="interval",
            )
        answer = {
            "interval": interval,
            "key_type": "date",
            "type": "bucket",
            **asked.bounds,
            "buckets": [self._bucket(period, tallies.get(period)) for period in periods],
        }
        return answer, max((tally.rows for tally in tallies.values()), default=0)

    def _covered(
        self, hits: Sequence[Period], asked: Asked
    ) -> tuple[datetime | None, datetime | None]:
        start = hits[0].start if hits else None
        end = hits[-1].end if hits else None
        if self._value(asked.params, "zero_fill", read_flag, None):
            return asked.start or start, asked.end or end
        return start, end

    def _bucket(self, period: Period, tally: Tally | None) -> dict[str, Any]:
        return {
            "key": epoch_milliseconds(period.start),
            "date": time_text(period.start),
            **self._numbers(tally or Tally()),
        }

    def _interval(self, params: Mapping[str, Any], row_interval: IntervalName) -> IntervalName:
        try:
            return read_interval(params.get("interval"), row_interval)
        except ValueError as error:
            raise self._refusal("interval", str(error)) from None
