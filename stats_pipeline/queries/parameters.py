"""Parameters: what a query may be asked with, and how each value is read and checked.

Values come as JSON, as text from a URL or a command line, or as Python objects. The readers raise
ValueError with the end of the sentence that begins "the parameter 'x' ...". Pure: no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from stats_pipeline.clock import parse_time
from stats_pipeline.fields import FIELD_TYPES, from_text
from stats_pipeline.intervals import INTERVALS, IntervalName
from stats_pipeline.iso8601 import read_date

#: Types of whole texts.
KEYWORDS = ("keyword", "constant_keyword", "wildcard")

#: The calendar can be cut into intervals everywhere in these years.
FIRST_YEAR, LAST_YEAR = 1900, 2999

#: A day more on each side, for dates in other time zones.
EARLIEST = datetime(FIRST_YEAR - 1, 12, 31, tzinfo=UTC)
LATEST = datetime(LAST_YEAR + 1, 1, 2, tzinfo=UTC)

#: Far above what a page needs, far below what a store refuses in one condition.
MOST_FILTER_VALUES = 1_000

#: Intervals that consist of whole rows, by the interval of a row; weeks straddle months.
COMPOSED: Mapping[IntervalName, tuple[IntervalName, ...]] = {
    "hour": INTERVALS[:-1],
    "day": INTERVALS[1:-1],
    "week": ("week",),
    "month": ("month", "quarter", "year"),
    "quarter": ("quarter", "year"),
    "year": ("year",),
    "all": (),
}

#: An offset whose + an address has turned into a blank.
_LOST_PLUS = re.compile(r"T\S+ \d{2}:?\d{2}$", re.ASCII)

_DATE_FORMS = (
    "must be an ISO 8601 date or time, as '2016-12-18' or '2016-12-18T10:00:00Z' "
    f"(years {FIRST_YEAR} to {LAST_YEAR})"
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """Describe a parameter to those who ask.

    Attributes:
        name: as it is given.
        type: ``date``, ``text``, ``boolean``, ``whole number``, ``value or list of values`` for
            filters, or ``any`` where nobody has said it.
        description: one line.
        required: whether the query refuses to run without it.
        allowed: the only values that it takes; empty where there are too many to name.
    """

    name: str
    type: str
    description: str
    required: bool = False
    allowed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the parameter as JSON values, ``allowed`` only where there is something to say."""
        described: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "description": self.description,
            "required": self.required,
        }
        return {**described, "allowed": list(self.allowed)} if self.allowed else described


START_DATE = Parameter(
    "start_date", "date", "Count from this ISO 8601 date or time on; default: from the beginning."
)
END_DATE = Parameter(
    "end_date",
    "date",
    "Count up to it: a date means through its end, a time is exclusive; default: no end.",
)
INTERVAL = Parameter(
    "interval",
    "text",
    "How long a bucket is; default: day, or as long as the rows where they are longer.",
    allowed=INTERVALS[:-1],
)
ZERO_FILL = Parameter(
    "zero_fill",
    "boolean",
    "Give empty buckets over the whole asked range; default: between the first and the last hit.",
    allowed=("true", "false"),
)
SIZE = Parameter(
    "size",
    "whole number",
    "Give only so many buckets at each level, those with the highest value; default: all of them.",
)

#: Of every query that has no filter of that name.
SOURCE = Parameter(
    "source",
    "value or list of values",
    "Count only rows that were imported from it; default: all. In a request, `source=` without a "
    "name counts only what was counted here.",
)

#: What no filter may be called; `format` chooses the form of a REST answer.
RESERVED = frozenset({"start_date", "end_date", "interval", "zero_fill", "format"})


def filter_parameter(name: str, *, required: bool) -> Parameter:
    """Return the description of a filter."""
    return Parameter(
        name, "value or list of values", f"Count only what has this {name}.", required=required
    )


def read_start(value: Any, zone: tzinfo) -> datetime:
    """Return the first instant of the range; a bare date begins in the rows' time zone."""
    return _read_bound(value, zone, days=0)


def read_end(value: Any, zone: tzinfo) -> datetime:
    """Return the instant before which the range ends; a bare date means through its end."""
    return _read_bound(value, zone, days=1)


def read_interval(value: Any, row_interval: IntervalName) -> IntervalName:
    """Return the interval of a bucket, which consists of whole rows; not for rows of all time.

    Without a value: a day, or as long as the rows where they are longer.
    """
    allowed = COMPOSED[row_interval]
    if value is None:
        return "day" if "day" in allowed else allowed[0]
    for name in allowed:
        if value == name:
            return name
    raise ValueError(
        f"must be one of {', '.join(allowed)}, not {shown(value)} "
        f"(each of its rows covers one {row_interval})"
    )


def read_flag(value: Any, _context: None) -> bool:
    """Return a boolean, which may also be the text ``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError(f"must be true or false, not {shown(value)}")


def read_size(value: Any, _context: None) -> int:
    """Return a number of buckets, which may also be text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)
    if type(value) is not int or value < 1:
        raise ValueError(f"must be a whole number from 1 on, not {shown(value)}")
    return value


def read_filter(value: Any, field_type: str | None) -> tuple[Any, ...]:
    """Return the values of a filter in the form in which a field of that type is stored.

    Args:
        value: one value, or a list of which any will do.
        field_type: None where it is not known; then values are taken as they are.
    """
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError("needs at least one value")
    if len(values) > MOST_FILTER_VALUES:
        raise ValueError(f"takes up to {MOST_FILTER_VALUES} values, not {len(values)}")
    return tuple(_read_value(one, field_type) for one in values)


def shown(value: Any) -> str:
    """Return how a message shows a value: never long, never deep into what it holds."""
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30:
        return "a huge number"
    return repr(value)[:80]


def _read_bound(value: Any, zone: tzinfo, *, days: int) -> datetime:
    try:
        moment = _bare_date(value, zone, days)
        if moment is None:
            moment = parse_time(value)
    except (ValueError, OverflowError):
        hint = "; write + as %2B in an address" if _LOST_PLUS.search(str(value)) else ""
        raise ValueError(f"{_DATE_FORMS}, not {shown(value)}{hint}") from None
    if not EARLIEST <= moment <= LATEST:
        raise ValueError(f"{_DATE_FORMS}, not {shown(value)}")
    return moment


def _bare_date(value: Any, zone: tzinfo, days: int) -> datetime | None:
    day = read_date(value) if isinstance(value, str) else value
    if not isinstance(day, date) or isinstance(day, datetime):
        return None
    local = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=days)
    return local.astimezone(UTC)


def _read_value(value: Any, field_type: str | None) -> Any:
    if not isinstance(value, str | int | float):
        raise ValueError(
            f"takes a value or a list of values, and none of them may be {shown(value)}"
        )
    if field_type is None:
        return value
    try:
        # A number that a client gives for text is its text.
        if isinstance(value, float) and field_type in KEYWORDS:
            value = str(value)
        return FIELD_TYPES[field_type](from_text(field_type, value))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"does not take {shown(value)}: {error}") from None
