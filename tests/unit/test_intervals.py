"""Intervals: periods tile time without gap or overlap, in every zone and through every change."""

from datetime import datetime, timedelta, tzinfo
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stats_pipeline.clock import parse_time
from stats_pipeline.errors import DefinitionError
from stats_pipeline.intervals import (
    ALL_TIME,
    HOUR,
    INTERVALS,
    IntervalName,
    Period,
    hour_of,
    hours_of,
    is_shorter,
    load_zone,
    period_label,
    period_of,
    slot_of,
    tile,
)

#: Among them clocks that change by half an hour, at midnight, at a minute after it, and a zone
#: that once left out a whole day.
ZONES = [
    "UTC",
    "Europe/Zurich",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/St_Johns",
    "Pacific/Apia",
]

zones = st.sampled_from(ZONES).map(lambda name: load_zone(name, owner="a test"))
finite = st.sampled_from(INTERVALS[:-1])
moments = st.builds(
    lambda milliseconds: utc("1990-01-01") + timedelta(milliseconds=milliseconds),
    st.integers(0, 46 * 365 * 86_400_000),
)


def zone(name: str) -> tzinfo:
    """Return the zone of this name."""
    return load_zone(name, owner="a test")


def utc(text: str) -> datetime:
    """Return a time."""
    return parse_time(text)


@given(moments, finite, zones)
@example(utc("2009-11-01T02:31:00Z"), "month", zone("America/St_Johns"))
@example(utc("2017-02-18T23:30:00Z"), "day", zone("America/Sao_Paulo"))
@example(utc("2017-04-01T15:10:00Z"), "hour", zone("Australia/Lord_Howe"))
@example(utc("2016-11-06T05:30:00Z"), "day", zone("America/Havana"))
@example(utc("2011-12-30T09:59:59Z"), "day", zone("Pacific/Apia"))
def test_a_period_contains_its_moment_and_knows_itself(
    moment: datetime, interval: IntervalName, in_zone: tzinfo
) -> None:
    """Taking the period of any moment in a period should give that period again."""
    period = period_of(moment, interval, in_zone)
    assert moment in period
    assert period_of(period.start, interval, in_zone) == period
    last = period.end - timedelta(milliseconds=1)
    assert period_of(last, interval, in_zone) == period


@given(moments, moments, finite, zones)
def test_periods_are_in_the_order_of_their_moments(
    one: datetime, other: datetime, interval: IntervalName, in_zone: tzinfo
) -> None:
    """A later moment should never be in an earlier period."""
    earlier, later = sorted([one, other])
    assert period_of(earlier, interval, in_zone) <= period_of(later, interval, in_zone)


@given(moments, st.timedeltas(timedelta(), timedelta(days=40)), finite, zones)
def test_tiles_have_no_gap_and_no_overlap(
    start: datetime, length: timedelta, interval: IntervalName, in_zone: tzinfo
) -> None:
    """Each tile should begin where the one before ended, and all together cover the range."""
    end = start + length
    tiles = list(tile(start, end, interval, in_zone))
    assert all(one.end == other.start for one, other in pairwise(tiles))
    assert all(period.overlaps(Period(start, end)) for period in tiles)
    if length:
        assert tiles[0].start <= start
        assert tiles[-1].end >= end
        assert tiles[-1].start < end
    else:
        assert len(tiles) <= 1


@given(moments, zones, st.sampled_from([("month", "day"), ("week", "day"), ("day", "hour")]))
def test_short_periods_tile_long_ones(
    moment: datetime, in_zone: tzinfo, pair: tuple[IntervalName, IntervalName]
) -> None:
    """The days of a month should be the month exactly, and so for weeks and days."""
    longer, shorter = pair
    period = period_of(moment, longer, in_zone)
    tiles = list(tile(period.start, period.end, shorter, in_zone))
    assert tiles[0].start == period.start
    assert tiles[-1].end == period.end


@pytest.mark.parametrize(
    ("moment", "interval", "zone_name", "start", "end"),
    [
        ("2016-12-18T10:59:59.999Z", "hour", "UTC", "2016-12-18T10:00Z", "2016-12-18T11:00Z"),
        ("2016-12-18T10:00Z", "week", "UTC", "2016-12-12", "2016-12-19"),
        ("2016-12-18T10:00Z", "quarter", "UTC", "2016-10-01", "2017-01-01"),
        ("2016-02-29T10:00Z", "year", "UTC", "2016-01-01", "2017-01-01"),
        ("2016-12-18T10:10Z", "hour", "Asia/Kolkata", "2016-12-18T09:30Z", "2016-12-18T10:30Z"),
        ("2016-12-18T18:30Z", "day", "Asia/Kolkata", "2016-12-18T18:30Z", "2016-12-19T18:30Z"),
        # The day with 23 hours, and the one with 25.
        ("2017-03-26T12:00Z", "day", "Europe/Zurich", "2017-03-25T23:00Z", "2017-03-26T22:00Z"),
        ("2017-10-29T12:00Z", "day", "Europe/Zurich", "2017-10-28T22:00Z", "2017-10-29T23:00Z"),
        # 00:00 does not exist on this day: it begins at 01:00.
        ("2017-10-15T12:00Z", "day", "America/Sao_Paulo", "2017-10-15T03:00Z", "2017-10-16T02:00Z"),
        # 23:00 to 24:00 comes twice on this day.
        ("2017-02-19T02:30Z", "day", "America/Sao_Paulo", "2017-02-18T02:00Z", "2017-02-19T03:00Z"),
        # Clocks go on or back by half an hour: that cuts an hour.
        (
            "2017-09-30T15:45Z",
            "hour",
            "Australia/Lord_Howe",
            "2017-09-30T15:30Z",
            "2017-09-30T16:00Z",
        ),
        (
            "2017-04-01T15:10Z",
            "hour",
            "Australia/Lord_Howe",
            "2017-04-01T15:00Z",
            "2017-04-01T15:30Z",
        ),
    ],
)
def test_periods_are_those_of_the_calendar(
    moment: str, interval: IntervalName, zone_name: str, start: str, end: str
) -> None:
    """Bounds should be local midnights (or hours), also where clocks change."""
    period = period_of(utc(moment), interval, zone(zone_name))
    assert period == Period(utc(start), utc(end))


def test_all_time_is_one_period() -> None:
    """The interval `all` should have one tile, whatever the range."""
    moment = utc("2016-12-18")
    assert period_of(moment, "all") == ALL_TIME
    assert list(tile(moment, moment + HOUR, "all")) == [ALL_TIME]


def test_an_empty_range_has_at_most_the_tile_it_lies_in() -> None:
    """A range that ends where it begins, at the bound of a period, should have no tile."""
    assert list(tile(utc("2016-12-18"), utc("2016-12-18"), "day")) == []


@given(moments, st.timedeltas(timedelta(milliseconds=1), timedelta(days=3)))
def test_the_hours_of_a_period_are_those_it_touches(start: datetime, length: timedelta) -> None:
    """Every hour that has an instant of the period should be there, and no other."""
    period = Period(start, start + length)
    hours = list(hours_of(period))
    assert hours[0] == hour_of(start)
    assert all(other - one == HOUR for one, other in pairwise(hours))
    assert hours[-1] < period.end <= hours[-1] + HOUR


@given(moments, st.sampled_from([1, 10, 30, 60, 3_600, 86_400]))
def test_slots_divide_the_day(moment: datetime, window_seconds: int) -> None:
    """A slot should contain its moment, know itself, and begin the day with the day."""
    slot = slot_of(moment, window_seconds)
    assert moment in slot
    assert slot_of(slot.start, window_seconds) == slot
    midnight = period_of(moment, "day").start
    assert (slot.start - midnight) % timedelta(seconds=window_seconds) == timedelta()


@pytest.mark.parametrize(
    ("interval", "label"),
    [
        ("hour", "2016-12-31t10"),
        ("day", "2016-12-31"),
        ("week", "2016-w52"),
        ("month", "2016-12"),
        ("quarter", "2016-q4"),
        ("year", "2016"),
        ("all", "all"),
    ],
)
def test_a_label_names_the_period_in_an_index_name(interval: IntervalName, label: str) -> None:
    """Labels should be lower-case, as index names are."""
    assert period_label(utc("2016-12-31T10:00Z"), interval) == label


def test_a_week_is_labelled_with_the_year_that_it_belongs_to() -> None:
    """ISO weeks of early January may belong to the year before."""
    assert period_label(utc("2017-01-01"), "week") == "2016-w52"


@given(moments, moments, finite)
def test_labels_differ_where_periods_do(
    one: datetime, other: datetime, interval: IntervalName
) -> None:
    """Two periods should never share an index name."""
    first, second = period_of(one, interval), period_of(other, interval)
    is_same_label = period_label(first.start, interval) == period_label(second.start, interval)
    assert is_same_label == (first == second)


def test_intervals_are_known_by_length() -> None:
    """Every interval should be shorter than those after it and not than itself."""
    assert is_shorter("hour", "day")
    assert is_shorter("quarter", "all")
    assert not is_shorter("week", "week")
    assert not is_shorter("year", "month")


@pytest.mark.parametrize("name", ["Europe/Zuerich", "", "../etc/passwd", "/etc/passwd", "x\0y"])
def test_an_unknown_zone_is_refused_by_name(name: str) -> None:
    """The error should say what a good name looks like."""
    with pytest.raises(DefinitionError, match=r"is not a time zone.*Europe/Zurich"):
        load_zone(name, owner="a test")
