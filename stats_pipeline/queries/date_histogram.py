"""Buckets over time: how often per day, week, month, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

from stats_pipeline.clock import epoch_milliseconds, parse_time
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.intervals import IntervalName, Period, period_of, tile
from stats_pipeline.queries.imported import KEY, Imported
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
    fields of its newest row, which are None if it is empty. Buckets begin in the time zone of the
    rows. A row belongs to the asked range by its start.
    """

    own_parameters: ClassVar[tuple[Parameter, ...]] = (START_DATE, END_DATE, INTERVAL, ZERO_FILL)
    is_over_time: ClassVar[bool] = True

    @property
    def columns(self) -> Sequence[str]:
        """Return the names that a table of the answer's buckets has, also where there are none."""
        return self._columns("date")

    def check(self, params: Mapping[str, Any]) -> None:
        """Refuse parameters that no rows could answer, without reading anything."""
        super().check(params)
        self._interval(params, "hour")
        self._value(params, "zero_fill", read_flag, None)

    def _answer(self, snapshot: Snapshot, rows: Rows, asked: Asked) -> tuple[dict[str, Any], int]:
        interval = self._interval(asked.params, rows.interval)
        tallies = self._tallies(snapshot, rows, asked, interval)
        periods: Sequence[Period] = ()
        start, end = self._covered(list(tallies), asked)
        if start and end:
            periods = list(islice(tile(start, end, interval, rows.zone), MOST_BUCKETS + 1))
        if len(periods) > MOST_BUCKETS:
            raise InvalidParameter(
                f"{self.name}: from {time_text(asked.start or start)} to "
                f"{time_text(asked.end or end)} there are more than {MOST_BUCKETS} buckets of one "
                f"{interval}; give a longer 'interval', or a 'start_date' and 'end_date' that are "
                "closer together",
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

    def _add_shares(self, answer: dict[str, Any], imported: Imported) -> None:
        interval, zone = answer["interval"], imported.rows.zone

        def bucket_of(key: tuple[Any, ...]) -> int:
            return epoch_milliseconds(period_of(parse_time(key[0]), interval, zone).start)

        of_buckets = imported.shares(["timestamp"], bucket_of)
        for bucket in answer["buckets"]:
            if bucket["key"] in of_buckets:
                bucket[KEY] = of_buckets[bucket["key"]]

    def _tallies(
        self, snapshot: Snapshot, rows: Rows, asked: Asked, interval: IntervalName
    ) -> dict[Period, Tally]:
        """Return the tally of each bucket that has rows; of more buckets than allowed, the first.

        There is no need to fill the memory with what is refused anyway.
        """

        def bucket_of(time: str) -> Period:
            return period_of(parse_time(time), interval, rows.zone)

        def bucket_of_row(row: Mapping[str, Any]) -> Period | None:
            return bucket_of(row["timestamp"]) if "timestamp" in row else None

        tallies: dict[Period, Tally] = {}
        for group in self._groups(snapshot, rows, asked, ("timestamp",)):
            tallies.setdefault(bucket_of(group.key[0]), Tally()).add(group, self.config.metrics)
            if len(tallies) > MOST_BUCKETS:
                return tallies
        several = {period for period, tally in tallies.items() if tally.rows > 1}
        documents = snapshot.scan(asked.where, ("timestamp",))
        for period, numbers in self._uniques(rows).merge(documents, bucket_of_row, several):
            tallies[period].values.update(numbers)
        return tallies

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

    def _check_uniques(self, rows: Rows, asked: Asked) -> None:
        interval = self._interval(asked.params, rows.interval)
        self._uniques(rows).check(asked.start, asked.end, interval=interval)

    def _interval(self, params: Mapping[str, Any], row_interval: IntervalName) -> IntervalName:
        try:
            return read_interval(params.get("interval"), row_interval)
        except ValueError as error:
            raise self._refusal("interval", str(error)) from None
