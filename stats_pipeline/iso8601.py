"""ISO 8601 text: every form of a date and of a time of a day, as the one moment that it means.

Python's own `fromisoformat` takes what is no ISO 8601 and misreads decimals of minutes and hours,
so it is given the most common form only, which it reads well. Pure: no I/O.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

#: What `isoformat` and most programs write.
_COMMON = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:[0-5]\d)?", re.ASCII
).fullmatch

_DATE = (
    r"(?P<year>\d{4})(?P<dash>-?)"
    r"(?:(?P<month>\d\d)(?P=dash)(?P<day>\d\d)|(?P<ordinal>\d{3})|W(?P<week>\d\d)(?P=dash)(?P<weekday>\d))"
)
_TIME = (
    r"(?P<hour>\d\d)(?:(?P<colon>:?)(?P<minute>\d\d)(?:(?P=colon)(?P<second>\d\d))?)?"
    r"(?:[.,](?P<decimals>\d+))?"
)
# The standard's minus sign is U+2212; on keyboards it is a hyphen.
_OFFSET = r"[Zz]|(?P<sign>[+\u2212-])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?"

_date = re.compile(_DATE, re.ASCII).fullmatch
_any = re.compile(f"{_DATE}(?:[Tt]{_TIME}(?:{_OFFSET})?)?", re.ASCII).fullmatch
_reduced_date = re.compile(r"(?:\d{4}(?:-\d\d)?|\d{4}-?W\d\d)(?:[Tt].*)?", re.ASCII).fullmatch

#: What is finer changes no moment; Python refuses to read numbers of thousands of digits.
_MOST_DECIMALS = 100

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_MILLISECOND = 1_000


def read_moment(text: str) -> datetime:
    """Return the time that a text means, aware; of a date, its beginning. Without offset: UTC.

    Takes calendar, ordinal and week dates, basic and extended; times of hours, minutes or seconds,
    the last of them with any number of decimals; ``24:00``; every offset, also in the lower case
    of RFC 3339. A leap second is the last millisecond of its minute, since no other clock has it.

    Raises:
        ValueError: it is no ISO 8601; the message is the end of a sentence that begins with it.
        OverflowError: it is outside the years 1 to 9999.
    """
    if _COMMON(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass  # 24:00, a leap second, or no time at all
        else:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    found = _any(text)
    if found is None:
        raise ValueError(f"is not an ISO 8601 time{_advice(text)}")
    if found["colon"] is not None and bool(found["dash"]) != bool(found["colon"]):
        raise ValueError("is not an ISO 8601 time: separators are in both parts or in neither")
    try:
        day, since, offset = _day(found), _since_midnight(found), _offset(found)
    except ValueError as error:
        raise ValueError(f"is not an ISO 8601 time: {error}") from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(
        microseconds=since - offset
    )


def read_date(text: str) -> date | None:
    """Return the date that a text means, None where it is something else than a date alone."""
    found = _date(text)
    if found is None:
        return None
    try:
        return _day(found)
    except ValueError:
        return None


def _day(found: re.Match[str]) -> date:
    year = int(found["year"])
    if found["week"]:
        return date.fromisocalendar(year, int(found["week"]), int(found["weekday"]))
    if found["month"]:
        return date(year, int(found["month"]), int(found["day"]))
    first, ordinal = date(year, 1, 1), int(found["ordinal"])
    day = first.toordinal() + ordinal - 1
    if not ordinal or day > date(year, 12, 31).toordinal():
        raise ValueError(f"{year} has no day {found['ordinal']}")
    return date.fromordinal(day)


def _since_midnight(found: re.Match[str]) -> int:
    """Return the microseconds since midnight; decimals are of the last unit that is there."""
    hour, minute, second = (int(found[unit] or 0) for unit in ("hour", "minute", "second"))
    unit = _SECOND if found["second"] else _MINUTE if found["minute"] else _HOUR
    decimals = (found["decimals"] or "0")[:_MOST_DECIMALS]
    since = hour * _HOUR + minute * _MINUTE + second * _SECOND
    if second == 60:
        since -= _MILLISECOND
    else:
        since += int(decimals) * unit // 10 ** len(decimals)
    if minute > 59 or second > 60 or since > _DAY or (hour == 24 and since < _DAY):
        raise ValueError("there is no such time of day")
    return since


def _offset(found: re.Match[str]) -> int:
    """Return the offset from UTC in microseconds."""
    hours, minutes = int(found["hours"] or 0), int(found["minutes"] or 0)
    if hours > 23 or minutes > 59:
        raise ValueError("there is no such offset")
    offset = hours * _HOUR + minutes * _MINUTE
    return offset if found["sign"] == "+" else -offset


def _advice(text: str) -> str:
    if _reduced_date(text):
        return ": which day of it is missing"
    if " " in text:
        return ": it has no blanks, and a T before the time of day"
    return ""
