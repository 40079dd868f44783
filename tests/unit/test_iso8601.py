"""ISO 8601: every form means one moment, and what is no form of it is refused."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.clock import MILLISECOND, cut_to_millisecond, format_time, parse_time
from stats_pipeline.iso8601 import read_date, read_moment

#: Days that stay within the years of datetimes whatever is added to them.
DAYS = st.dates(date(1, 1, 3), date(9999, 12, 28))
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Dates: calendar, ordinal, week, each extended and basic.
        ("2017-01-01", "2017-01-01T00:00:00.000Z"),
        ("20170101", "2017-01-01T00:00:00.000Z"),
        ("2017-001", "2017-01-01T00:00:00.000Z"),
        ("2017001", "2017-01-01T00:00:00.000Z"),
        ("2016-366", "2016-12-31T00:00:00.000Z"),
        ("2016-W52-7", "2017-01-01T00:00:00.000Z"),
        ("2016W527", "2017-01-01T00:00:00.000Z"),
        ("2017001T100000Z", "2017-01-01T10:00:00.000Z"),
        ("2016-W52-7T10:00:00Z", "2017-01-01T10:00:00.000Z"),
        # Times: hours, minutes, seconds, and decimals of the last of them.
        ("2017-01-01T10", "2017-01-01T10:00:00.000Z"),
        ("20170101T10Z", "2017-01-01T10:00:00.000Z"),
        ("2017-01-01T10:30", "2017-01-01T10:30:00.000Z"),
        ("20170101T1030", "2017-01-01T10:30:00.000Z"),
        ("2017-01-01T10.5Z", "2017-01-01T10:30:00.000Z"),
        ("2017-01-01T10,5Z", "2017-01-01T10:30:00.000Z"),
        ("2017-01-01T10:30.5Z", "2017-01-01T10:30:30.000Z"),
        ("20170101T1030,25Z", "2017-01-01T10:30:15.000Z"),
        ("2017-01-01T10:30:00,1234567891234Z", "2017-01-01T10:30:00.123Z"),
        ("20170101T103000.9999Z", "2017-01-01T10:30:00.999Z"),
        (f"2017-01-01T10.{'3' * 10_000}Z", "2017-01-01T10:19:59.999Z"),
        # The end of a day, and a leap second.
        ("2017-01-01T24", "2017-01-02T00:00:00.000Z"),
        ("2017-01-01T24:00:00.000Z", "2017-01-02T00:00:00.000Z"),
        ("20161231T2400-0100", "2017-01-01T01:00:00.000Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"),
        ("2016-12-31T23:59:60.75Z", "2016-12-31T23:59:59.999Z"),
        ("2017-01-01T05:29:60+05:30", "2016-12-31T23:59:59.999Z"),
        # Offsets, and the lower case of RFC 3339.
        ("2017-01-01T10:00:00+01", "2017-01-01T09:00:00.000Z"),
        ("2017-01-01T10:00:00+0130", "2017-01-01T08:30:00.000Z"),
        ("20170101T100000+01:30", "2017-01-01T08:30:00.000Z"),
        ("2017-01-01T10:00:00\N{MINUS SIGN}05:00", "2017-01-01T15:00:00.000Z"),
        ("2017-01-01T10:00:00-00:00", "2017-01-01T10:00:00.000Z"),
        ("2017-01-01t10:00:00z", "2017-01-01T10:00:00.000Z"),
        # The moment counts, not the text, at both ends of the calendar.
        ("9999-12-31T24:00:00+05:00", "9999-12-31T19:00:00.000Z"),
        ("0001-01-01T00:00:00-05:00", "0001-01-01T05:00:00.000Z"),
    ],
)
def test_every_form_means_one_moment(text: str, expected: str) -> None:
    """None of them is refused, and none is taken for another."""
    assert format_time(parse_time(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        # Not of ISO 8601, though programs write some of them.
        "2017-01-01X10:00:00",
        "2017-01-01 10:00:00",
        "2017-01-01T10:00:00 Z",
        " 2017-01-01",
        "2017-01-01\n",
        "2017-1-1",
        "01.01.2017",
        "20170101T10:00:00",
        "2017-01-01T100000",
        "2017-01-01T10:0000",
        "2017-01-01T10:00:00+01:00:30",
        "2017-01-01T10:00:00UTC",
        "2017-01-01T10:00:00.Z",
        "2017-01-01T",
        "T10:00:00",
        "2017-w01-1",
        "\u0662\u0660\u0661\u0667-01-01",
        "+002017-01-01",
        # No such day, no such time.
        "2017-02-29",
        "2017-000",
        "2017-366",
        "2017-W53-1",
        "2017-W01-8",
        "2017-W00-1",
        "0000-01-01",
        "2017-01-01T25:00",
        "2017-01-01T24:00:00.001",
        "2017-01-01T24:01",
        "2017-01-01T24:00:60",
        "2017-01-01T10:60",
        "2017-01-01T10:00:61",
        "2017-01-01T10:00:00+24:00",
        "2017-01-01T10:00:00+01:60",
    ],
)
def test_what_is_no_iso_8601_is_refused(text: str) -> None:
    """No guess is made about what somebody may have meant."""
    with pytest.raises(ValueError, match="is not an ISO 8601 time"):
        parse_time(text)
    assert read_date(text) is None


@pytest.mark.parametrize("text", ["2017", "2017-01", "2017-W01", "2017W01", "2017-01T10:00"])
def test_a_time_without_its_day_is_refused_with_the_reason(text: str) -> None:
    """An event of some day of January would be counted on the first of them."""
    with pytest.raises(ValueError, match=r"'2017.* is not .* time: which day of it is missing"):
        parse_time(text)
    assert read_date(text) is None


def test_blanks_are_refused_with_what_stands_in_their_place() -> None:
    """As `str(datetime)` and databases write them."""
    with pytest.raises(ValueError, match="no blanks, and a T before the time of day"):
        parse_time("2017-01-01 10:00:00")


@given(DAYS)
def test_all_forms_of_a_date_are_that_date(day: date) -> None:
    """Calendar, ordinal and week dates go there and back, with and without separators."""
    week = day.isocalendar()
    for text in (
        f"{day.isoformat()}",
        f"{day.year:04}-{day.timetuple().tm_yday:03}",
        f"{week.year:04}-W{week.week:02}-{week.weekday}",
    ):
        assert read_date(text) == read_date(text.replace("-", "")) == day
        assert read_date(f"{text}T10:00") is None
        assert read_moment(text) == datetime(day.year, day.month, day.day, tzinfo=UTC)


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28), timezones=st.timezones()))  # noqa: DTZ001
def test_what_python_writes_is_read_to_the_microsecond(moment: datetime) -> None:
    """In its extended form, and in the basic one."""
    offset = moment.utcoffset()
    assert offset is not None
    if offset.seconds % 60:  # Python's own invention, of times before there were zones
        moment = moment.replace(tzinfo=UTC)
    # Times that a zone has twice or not at all equal no time of another zone, so Python says.
    utc = moment.astimezone(UTC)
    assert read_moment(moment.isoformat()) == utc
    day, time = f"{moment:%Y%m%d}".rjust(8, "0"), f"{moment:%H%M%S.%f%z}"
    assert read_moment(f"{day}T{time}") == utc
    assert parse_time(moment.isoformat()) == cut_to_millisecond(utc)


@st.composite
def times_of_day(draw: st.DrawFn) -> tuple[str, Fraction]:
    """Draw an extended time of day with decimals, and the seconds since midnight that it means."""
    precision = draw(st.integers(1, 3))
    units = [draw(st.integers(0, 23)), *(draw(st.integers(0, 59)) for _ in range(precision - 1))]
    text = ":".join(f"{unit:02}" for unit in units)
    sizes = [3600, 60, 1][:precision]
    seconds = Fraction(sum(unit * size for unit, size in zip(units, sizes, strict=True)))
    decimals = draw(st.text("0123456789", max_size=40))
    if decimals:
        text += draw(st.sampled_from(".,")) + decimals
        seconds += Fraction(int(decimals), 10 ** len(decimals)) * sizes[-1]
    return text, seconds


@given(DAYS, times_of_day(), st.integers(-23 * 60 - 59, 23 * 60 + 59), st.booleans())
def test_decimals_are_of_the_last_unit_and_exact(
    day: date, time: tuple[str, Fraction], minutes: int, is_basic: bool
) -> None:
    """As computed with fractions, and cut to milliseconds; the offset is taken off."""
    text, seconds = time
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    whole = f"{day.isoformat()}T{text}"
    if is_basic:
        whole, offset = whole.replace("-", "").replace(":", ""), offset.replace(":", "")
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    expected = midnight + int(seconds * 1000) * MILLISECOND - minutes * MINUTE
    assert parse_time(whole + offset) == expected
    assert parse_time(whole) == expected + minutes * MINUTE


@given(st.text("0123456789-+:.,TtZzW \N{MINUS SIGN}", max_size=40))
def test_a_text_is_a_time_or_refused_in_a_sentence(text: str) -> None:
    """Nothing else is raised, and what was read is formatted and read again to the same time."""
    try:
        moment = parse_time(text)
    except ValueError:
        return
    assert parse_time(format_time(moment)) == moment
