"""Histograms: buckets over time from rows."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from stats_pipeline.errors import DefinitionError, InvalidParameter
from stats_pipeline.queries import DateHistogramQuery
from stats_pipeline.queries.date_histogram import MOST_BUCKETS
from tests.queries.rows import RowsOfDownloads, numbers

F_1 = {"bucket_id": "20", "file_key": "file1.txt"}


def histogram(**config: Any) -> DateHistogramQuery:
    """Return the query of the registration example."""
    return DateHistogramQuery(
        "bucket-file-download-histogram",
        **{
            "index": "stats-file-download",
            "copy_fields": {"bucket_id": "bucket_id", "file_key": "file_key"},
            "required_filters": {"bucket_id": "bucket_id", "file_key": "file_key"},
            **config,
        },
    )


def open_histogram(**config: Any) -> DateHistogramQuery:
    """Return a histogram over all rows."""
    return DateHistogramQuery("all", index="stats-file-download", **config)


def test_A004_52_A004_56_E004_day_buckets_have_the_very_numbers_and_the_copied_fields(
    e004: RowsOfDownloads,
) -> None:
    """The original's example, with a number for a keyword, has the full shape that clients know."""
    answer = e004.run(
        histogram(),
        start_date="2016-12-18",
        end_date="2016-12-19",
        interval="day",
        bucket_id=20,
        file_key="file1.txt",
    )
    assert answer == {
        "interval": "day",
        "key_type": "date",
        "type": "bucket",
        "start_date": "2016-12-18T00:00:00.000Z",
        "end_date": "2016-12-20T00:00:00.000Z",
        "buckets": [
            {
                "key": 1482019200000,
                "date": "2016-12-18T00:00:00.000Z",
                "value": 4.0,
                "bucket_id": "20",
                "file_key": "file1.txt",
            },
            {
                "key": 1482105600000,
                "date": "2016-12-19T00:00:00.000Z",
                "value": 1.0,
                "bucket_id": "20",
                "file_key": "file1.txt",
            },
        ],
        "as_of": "2016-12-20T06:00:00.000Z",
    }
    assert isinstance(answer["buckets"][0]["value"], float)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("week", {"2016-12-12": 4, "2016-12-19": 1}),
        ("month", {"2016-12-01": 5}),
        ("quarter", {"2016-10-01": 5}),
        ("year", {"2016-01-01": 5}),
    ],
)
def test_A004_54_E004_longer_intervals_are_put_together_from_days(
    e004: RowsOfDownloads, interval: str, expected: dict[str, int]
) -> None:
    """A Sunday and the Monday after it are two ISO weeks, and one month, quarter and year."""
    assert numbers(e004.run(histogram(), interval=interval, **F_1)) == expected


def test_A004_61_without_rows_the_answer_has_its_full_shape(downloads: RowsOfDownloads) -> None:
    """An index that is not there yet gives empty buckets, asked bounds and all keys."""
    answer = downloads.run(open_histogram(), start_date="2016-12-18")
    assert answer == {
        "interval": "day",
        "key_type": "date",
        "type": "bucket",
        "start_date": "2016-12-18T00:00:00.000Z",
        "end_date": None,
        "buckets": [],
        "as_of": "2016-12-20T06:00:00.000Z",
    }


def test_gaps_between_hits_are_zeros_whose_copied_fields_are_null(
    downloads: RowsOfDownloads,
) -> None:
    """An empty bucket has the shape of the others, and does not make up copied fields."""
    downloads.write({"timestamp": "2016-12-18", **F_1}, {"timestamp": "2016-12-20", **F_1})
    answer = downloads.run(histogram(), start_date="2016-12-01", **F_1)
    assert numbers(answer) == {"2016-12-18": 1, "2016-12-19": 0, "2016-12-20": 1}
    first, gap, _ = answer["buckets"]
    assert gap.keys() == first.keys() >= {"key", "date", "value", "bucket_id", "file_key"}
    assert (gap["bucket_id"], gap["file_key"]) == (None, None)


def test_zero_fill_covers_the_whole_asked_range(e004: RowsOfDownloads) -> None:
    """With zero_fill there is a bucket for each interval that was asked for."""
    answer = e004.run(
        open_histogram(), start_date="2016-12-17", end_date="2016-12-20", zero_fill="true"
    )
    assert list(numbers(answer).values()) == [0, 5, 1, 0]


def test_zero_fill_without_bounds_and_hits_gives_no_bucket(downloads: RowsOfDownloads) -> None:
    """Where neither bounds nor hits say what the range is, nothing is filled."""
    assert downloads.run(open_histogram(), zero_fill=True)["buckets"] == []


def test_too_many_buckets_are_refused_with_the_way_out(downloads: RowsOfDownloads) -> None:
    """A range of a thousand years by the hour is a mistyped date, not a page of buckets."""
    query = open_histogram()
    params = {"start_date": "1900-01-01", "end_date": "2999-12-31", "zero_fill": True}
    with pytest.raises(InvalidParameter, match=str(MOST_BUCKETS)) as caught:
        downloads.run(query, interval="day", **params)
    assert caught.value.parameter == "interval"
    assert len(downloads.run(query, interval="year", **params)["buckets"]) == 1100


def test_A004_55_a_range_is_half_open_by_the_start_of_rows(e004: RowsOfDownloads) -> None:
    """Each bound alone or both; a date-time as end is exclusive, an offset is converted to UTC."""
    query = open_histogram()
    assert numbers(e004.run(query, end_date="2016-12-19T00:00:00Z")) == {"2016-12-18": 5}
    shifted = e004.run(query, start_date="2016-12-19T01:00:00+01:00")
    assert shifted["start_date"] == "2016-12-19T00:00:00.000Z"
    assert numbers(shifted) == {"2016-12-19": 1}
    assert numbers(e004.run(query, start_date="2016-12-18", end_date="2016-12-18")) == {
        "2016-12-18": 5
    }


def test_B28_bounds_come_back_as_aware_utc(e004: RowsOfDownloads) -> None:
    """Bounds are shown in UTC, cut to milliseconds, and mean the same when they are asked again.

    Amended by DESIGN.md: aware UTC in and out, whatever any flag says.
    """
    query = open_histogram()
    first = e004.run(query, start_date="2024-01-15T12:30:45.123456+02:00", end_date="2024-01-16")
    assert first["start_date"] == "2024-01-15T10:30:45.123Z"
    again = e004.run(query, start_date=first["start_date"], end_date=first["end_date"])
    assert again == first


def test_A004_54_rows_of_an_hour_make_hours_and_days(downloads: RowsOfDownloads) -> None:
    """An interval may be as short as the rows, and is a day by default."""
    hours = downloads.of("hour")
    hours.write({"timestamp": "2016-12-18T10:00"}, {"timestamp": "2016-12-18T12:00", "count": 2})
    buckets = hours.run(open_histogram(), interval="hour")["buckets"]
    assert [bucket["value"] for bucket in buckets] == [1, 0, 2]
    assert numbers(hours.run(open_histogram())) == {"2016-12-18": 3}


@pytest.mark.parametrize(
    ("rows", "interval", "allowed"),
    [
        ("day", "hour", "day, week, month, quarter, year"),
        ("week", "month", "must be one of week,"),
        ("month", "week", "month, quarter, year"),
        ("day", "all", "day, week, month, quarter, year"),
        ("day", "fortnight", "day, week, month, quarter, year, not 'fortnight'"),
        ("day", ["day"], "day, week, month, quarter, year"),
    ],
)
def test_A004_54_an_interval_that_does_not_consist_of_rows_is_refused(
    downloads: RowsOfDownloads, rows: Any, interval: Any, allowed: str
) -> None:
    """Shorter than the rows, straddling them, or unknown: 400 with the intervals that work."""
    with pytest.raises(InvalidParameter, match=allowed) as caught:
        downloads.of(rows).run(open_histogram(), interval=interval)
    assert caught.value.parameter == "interval"


def test_rows_that_are_longer_than_a_day_choose_their_own_interval(
    downloads: RowsOfDownloads,
) -> None:
    """Month rows answer by the month when no interval is asked for."""
    months = downloads.of("month")
    months.write({"timestamp": "2016-12-18"})
    assert months.run(open_histogram())["interval"] == "month"


def test_rows_of_all_time_have_no_histogram(downloads: RowsOfDownloads) -> None:
    """One row for all time can't be spread over buckets, whatever is asked."""
    for params in ({}, {"interval": "year"}):
        with pytest.raises(DefinitionError, match=r"rows that cover all time .* a TotalsQuery"):
            downloads.of("all").run(open_histogram(), **params)


def test_buckets_and_bare_dates_begin_in_the_zone_of_the_rows(downloads: RowsOfDownloads) -> None:
    """In Zurich's winter a day begins at 23:00 UTC, for rows, bounds and buckets alike."""
    zurich = downloads.of("day", ZoneInfo("Europe/Zurich"))
    zurich.write({"timestamp": "2016-12-31T12:00"}, {"timestamp": "2017-01-01T12:00"})
    answer = zurich.run(open_histogram(), start_date="2017-01-01", interval="month")
    assert [b["date"] for b in answer["buckets"]] == ["2016-12-31T23:00:00.000Z"]
    assert [b["value"] for b in answer["buckets"]] == [1]


def test_a_bare_end_date_ends_with_its_own_day_when_clocks_change(
    downloads: RowsOfDownloads,
) -> None:
    """The day on which summer time begins has 23 hours, and ends at 22:00 UTC."""
    zurich = downloads.of("day", ZoneInfo("Europe/Zurich"))
    answer = zurich.run(open_histogram(), end_date="2017-03-26")
    assert answer["end_date"] == "2017-03-26T22:00:00.000Z"


def test_A004_56_W6_copied_fields_come_from_the_newest_row_of_a_bucket(
    downloads: RowsOfDownloads,
) -> None:
    """A renamed file shows its last name, also through a callable; a missing field is null.

    Newest is the latest day, whatever the dimension says and in whatever order rows were written.
    """
    downloads.write(
        {"timestamp": "2016-12-18", "file_id": "z", "file_key": "old.txt"},
        {"timestamp": "2016-12-19", "file_id": "b", "file_key": "new.txt"},
        {"timestamp": "2016-12-17", "file_id": "a", "file_key": "oldest.txt", "size_class": 1},
    )
    query = open_histogram(
        copy_fields={
            "name": "file_key",
            "upper": lambda row: row["file_key"].upper(),
            "class": "size_class",
        }
    )
    (bucket,) = downloads.run(query, interval="month")["buckets"]
    assert (bucket["name"], bucket["upper"], bucket["class"]) == ("new.txt", "NEW.TXT", None)


def test_B26_two_a_day_for_seven_days_make_seven_buckets_of_two(
    downloads: RowsOfDownloads,
) -> None:
    """Each of seven days with 2 downloads has a bucket of 2."""
    downloads.write(*({"timestamp": f"2016-12-{day}", "count": 2} for day in range(10, 17)))
    assert set(numbers(downloads.run(open_histogram())).values()) == {2.0}
