"""Time: the clock as an argument, and the one text form that times have outside of Python.

Pure but for `SystemClock`. Inside, every time is an aware UTC datetime of whole milliseconds.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from stats_pipeline.iso8601 import read_moment

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class Clock(Protocol):
    """Tell the time; passed to whatever needs it, so that tests can choose it."""

    def now(self) -> datetime:
        """Return the current time, aware UTC, cut to milliseconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean something."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for that many seconds."""
        ...


class SystemClock:
    """Tell the machine's time."""

    def now(self) -> datetime:
        """Return the machine's time, aware UTC, cut to milliseconds."""
        return cut_to_millisecond(datetime.now(UTC))

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)


class ManualClock:
    """Tell the time that a test has set; `sleep` and `advance` move it."""

    def __init__(self, now: datetime) -> None:
        self._now = cut_to_millisecond(now.astimezone(UTC))
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the set time."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds that this clock was advanced by."""
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Advance instead of waiting."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move the clock by that many seconds; the monotonic one never goes back."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += max(0.0, seconds)


def cut_to_millisecond(moment: datetime) -> datetime:
    """Return the time without what is finer than a millisecond (cut, not rounded)."""
    # Nearly all that is read was written by `format_time`; `replace` costs as much as all the rest.
    finer = moment.microsecond % 1000
    return moment - timedelta(0, 0, finer) if finer else moment


def parse_time(value: object) -> datetime:
    """Read ISO 8601 text or a datetime as aware UTC of whole milliseconds; naive means UTC.

    Raises ValueError with a sentence for people where the value is neither.
    """
    try:
        moment = read_moment(value) if isinstance(value, str) else _aware(value)
        if moment.tzinfo is not UTC:
            moment = moment.astimezone(UTC)
    except ValueError as error:
        raise ValueError(f"{str(value)[:60]!r} {error}") from None
    except OverflowError:
        raise ValueError(f"{str(value)[:60]!r} is outside the years 1 to 9999 in UTC") from None
    return cut_to_millisecond(moment)


def _aware(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise ValueError("is neither ISO 8601 text nor a datetime")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def format_time(moment: datetime) -> str:
    """Return the one text form: ``2016-12-18T10:00:00.000Z`` (sorts like the times)."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z".rjust(24, "0")


def epoch_milliseconds(moment: datetime) -> int:
    """Return the whole milliseconds since 1970-01-01T00:00:00Z."""
    return (moment - EPOCH) // MILLISECOND
