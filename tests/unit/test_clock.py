"""Times: one text form, cut to milliseconds, whatever zone they came in."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.clock import (
    EPOCH,
    MILLISECOND,
    ManualClock,
    SystemClock,
    cut_to_millisecond,
    epoch_milliseconds,
    format_time,
    parse_time,
)

#: Two days within the years that datetimes have, so that every zone can express them.
MOMENTS = st.builds(
    lambda microseconds, zone: (EPOCH + timedelta(microseconds=microseconds)).astimezone(zone),
    st.integers(-62_135_424_000 * 10**6, 253_402_128_000 * 10**6),
    st.timezones(),
)
NOON = datetime(2016, 12, 18, 12, tzinfo=UTC)


@given(MOMENTS)
def test_what_was_formatted_is_parsed_to_the_same_millisecond(moment: datetime) -> None:
    """Formatting then parsing should only cut, and doing it twice should change nothing."""
    text = format_time(moment)
    assert parse_time(text) == cut_to_millisecond(moment.astimezone(UTC))
    assert format_time(parse_time(text)) == text
    assert len(text) == 24


@given(MOMENTS, MOMENTS)
def test_text_sorts_like_the_times(one: datetime, other: datetime) -> None:
    """The embedded store compares times as text."""
    earlier, later = sorted([parse_time(one), parse_time(other)])
    assert (format_time(earlier) < format_time(later)) == (earlier < later)


@given(MOMENTS)
def test_epoch_milliseconds_lose_nothing(moment: datetime) -> None:
    """From the number the time should be had again, also before 1970."""
    assert EPOCH + epoch_milliseconds(parse_time(moment)) * MILLISECOND == parse_time(moment)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2016-12-18T10:00:00Z", "2016-12-18T10:00:00.000Z"),
        ("2016-12-18T10:00:00.123999Z", "2016-12-18T10:00:00.123Z"),
        ("2016-12-18T10:00:00+05:30", "2016-12-18T04:30:00.000Z"),
        ("2016-12-18", "2016-12-18T00:00:00.000Z"),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00.000Z"),
        (datetime(2016, 12, 18, 10), "2016-12-18T10:00:00.000Z"),  # noqa: DTZ001
        (NOON.astimezone(timezone(timedelta(hours=-3))), "2016-12-18T12:00:00.000Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_read_as_utc_and_cut(value: object, expected: str) -> None:
    """Text and datetimes should mean the same; a naive one means UTC."""
    assert format_time(parse_time(value)) == expected


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("yesterday", "'yesterday' is not an ISO 8601 time"),
        ("", "'' is not"),
        ("2016-02-30", "not an ISO 8601 time"),
        (" 2016-12-18T10:00 ", "it has no blanks"),
        ("\ud800", "not an ISO 8601 time"),
        ("x" * 1_000, "is not"),
        (1_482_055_200, "neither ISO 8601 text nor a datetime"),
        (None, "neither"),
        ("0001-01-01T00:00:00+01:00", "outside the years 1 to 9999"),
        ("9999-12-31T23:59:59-01:00", "outside the years 1 to 9999"),
    ],
)
def test_what_is_no_time_is_refused_in_a_sentence(value: object, problem: str) -> None:
    """The message should show the beginning of the value and be short."""
    with pytest.raises(ValueError, match=problem) as caught:
        parse_time(value)
    assert len(str(caught.value)) < 150


def test_the_system_clock_tells_the_time_in_milliseconds() -> None:
    """Now should be aware UTC between two readings of the machine's clock."""
    before = cut_to_millisecond(datetime.now(UTC))
    now = SystemClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert SystemClock().monotonic() <= time.monotonic()


def test_the_system_clock_sleeps_at_least_as_long_as_asked() -> None:
    """The monotonic clock should have moved by the time that was slept."""
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.01


def test_a_manual_clock_moves_when_it_is_told_to() -> None:
    """Sleeping should advance both times; going back moves only the time of day."""
    clock = ManualClock(NOON.astimezone(timezone(timedelta(hours=1))))
    clock.sleep(90)
    assert (clock.now(), clock.monotonic()) == (NOON + timedelta(seconds=90), 90.0)
    clock.advance(-30)
    assert (clock.now(), clock.monotonic()) == (NOON + timedelta(seconds=60), 90.0)
