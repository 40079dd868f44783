"""Calendar intervals: where each begins and ends, how a range is tiled, how indices are named.

Pure: no clock, no I/O. Periods are half-open ``[start, end)`` in aware UTC; weeks are ISO weeks.
A time zone moves the bounds of days and longer periods; hours are cut in the zone as well, which
differs from UTC only where an offset is not a whole hour. No hour lasts longer than one, but one in
which a zone's clocks change by half an hour is cut in two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stats_pipeline.errors import DefinitionError

IntervalName = Literal["hour", "day", "week", "month", "quarter", "year", "all"]

#: Shortest first, so that positions can be compared.
INTERVALS: tuple[IntervalName, ...] = ("hour", "day", "week", "month", "quarter", "year", "all")

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Be a half-open range of time ``[start, end)``, aware UTC."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def overlaps(self, other: Period) -> bool:
        """Tell whether both have an instant in common."""
        return self.start < other.end and other.start < self.end


#: The one period of the interval ``all``.
ALL_TIME = Period(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


def period_of(moment: datetime, interval: IntervalName, zone: tzinfo = UTC) -> Period:
    """Return the period of that interval which contains the moment."""
    if interval == "all":
        return ALL_TIME
    if interval == "hour":
        return _hour_of(moment, zone)
    # Without the fold: a period's start means the earlier of two, whichever the moment is in.
    local = _local_start(moment.astimezone(zone).replace(tzinfo=None, fold=0), interval)
    period = _period_from(local, interval, zone)
    # Where clocks change at midnight, some minutes carry the date of the day before or after.
    if moment < period.start:
        return _period_from(_local_start(local - DAY, interval), interval, zone)
    if moment >= period.end:
        return _period_from(_local_next(local, interval), interval, zone)
    return period


def tile(
    start: datetime, end: datetime, interval: IntervalName, zone: tzinfo = UTC
) -> Iterator[Period]:
    """Yield the periods that overlap ``[start, end)``, oldest first, without gap or overlap."""
    period = period_of(start, interval, zone)
    while period.start < end:
        yield period
        if interval == "all":
            return
        period = period_of(period.end, interval, zone)


def hour_of(moment: datetime) -> datetime:
    """Return the start of the UTC hour that contains the moment."""
    return moment.replace(minute=0, second=0, microsecond=0)


def hours_of(period: Period) -> Iterator[datetime]:
    """Yield the starts of the UTC hours that the period touches."""
    hour = hour_of(period.start)
    while hour < period.end:
        yield hour
        hour += HOUR


def slot_of(moment: datetime, window_seconds: int) -> Period:
    """Return the fixed window that contains the moment; windows divide the UTC day."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    number = (moment - midnight) // timedelta(seconds=window_seconds)
    start = midnight + number * timedelta(seconds=window_seconds)
    return Period(start, start + timedelta(seconds=window_seconds))


def period_label(start: datetime, interval: IntervalName) -> str:
    """Return how a period is written in an index name, as ``2016-12`` or ``2016-w51``."""
    year, week, _ = start.isocalendar()
    labels = {
        "hour": f"{start:%Y-%m-%d}t{start:%H}",
        "day": f"{start:%Y-%m-%d}",
        "week": f"{year}-w{week:02d}",
        "month": f"{start:%Y-%m}",
        "quarter": f"{start:%Y}-q{(start.month + 2) // 3}",
        "year": f"{start:%Y}",
        "all": "all",
    }
    return labels[interval]


def is_shorter(interval: IntervalName, other: IntervalName) -> bool:
    """Tell whether the first interval is shorter than the second."""
    return INTERVALS.index(interval) < INTERVALS.index(other)


def has_whole_hours(zone: tzinfo) -> bool:
    """Tell whether the zone's hours are those of UTC, in winter and in summer of these years."""
    moments = (datetime(2026, month, 1, tzinfo=zone) for month in (1, 7))
    return all((moment.utcoffset() or HOUR) % HOUR == timedelta() for moment in moments)


def load_zone(name: str, *, owner: str) -> tzinfo:
    """Return the time zone of that IANA name; raise DefinitionError where there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DefinitionError(
            f"{owner}: {name!r} is not a time zone; use an IANA name such as 'UTC' or "
            "'Europe/Zurich'"
        ) from None


def _hour_of(moment: datetime, zone: tzinfo) -> Period:
    # Arithmetic in UTC: in the repeated hour of an autumn night two hours have one local name.
    shift = _shift(moment, zone)
    start = hour_of(moment + shift) - shift
    end = start + HOUR
    # Where clocks change by half an hour, the hours on both sides would overlap: the change cuts.
    if _shift(start, zone) != shift:
        start = _first_with(shift, start, moment.replace(microsecond=0), zone)
    last = end - SECOND
    if _shift(last, zone) != shift:
        end = _first_with(_shift(last, zone), moment.replace(microsecond=0), last, zone)
    return Period(start, end)


def _shift(moment: datetime, zone: tzinfo) -> timedelta:
    """Return by how much the zone's hours are shifted against those of UTC."""
    return (moment.astimezone(zone).utcoffset() or timedelta()) % HOUR


def _first_with(shift: timedelta, before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first second with this shift, which `after` has and `before` has not."""
    while after - before > SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if _shift(middle, zone) == shift:
            after = middle
        else:
            before = middle
    return after


def _local_start(local: datetime, interval: IntervalName) -> datetime:
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if interval == "week":
        return day - timedelta(days=day.weekday())
    if interval == "month":
        return day.replace(day=1)
    if interval == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    if interval == "year":
        return day.replace(month=1, day=1)
    return day


def _local_next(local: datetime, interval: IntervalName) -> datetime:
    if interval == "day":
        return local + DAY
    if interval == "week":
        return local + 7 * DAY
    months = {"month": 1, "quarter": 3, "year": 12}[interval]
    month = local.month - 1 + months
    return local.replace(year=local.year + month // 12, month=month % 12 + 1)


def _period_from(local: datetime, interval: IntervalName, zone: tzinfo) -> Period:
    return Period(_to_utc(local, zone), _to_utc(_local_next(local, interval), zone))


def _to_utc(local: datetime, zone: tzinfo) -> datetime:
    # A local midnight that does not exist (spring) is read with the offset before the change,
    # one that exists twice with the earlier: both keep periods without gap or overlap.
    return local.replace(tzinfo=zone).astimezone(UTC)
