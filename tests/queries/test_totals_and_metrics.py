"""Totals, and the numbers that all three kinds of queries compute from rows."""

import sys
from typing import Any

import pytest

from stats_pipeline.errors import DefinitionError
from stats_pipeline.queries import DateHistogramQuery, TermsQuery, TotalsQuery
from tests.queries.rows import RowsOfDownloads, numbers

CONFIG: dict[str, Any] = {
    "index": "stats-file-download",
    "metric_fields": {
        "volume": ("sum", "volume"),
        "least": ("min", "count"),
        "most": ("max", "count"),
        "mean": ("avg", "count"),
    },
}


def write_three_days(downloads: RowsOfDownloads) -> None:
    """Write two rows on a Friday, one on Saturday, one on the Monday after."""
    downloads.write(
        {"timestamp": "2016-12-16", "file_id": "a", "count": 4, "volume": 0.5},
        {"timestamp": "2016-12-16", "file_id": "b", "count": 1, "volume": 1.5},
        {"timestamp": "2016-12-17", "file_id": "a", "count": 10, "volume": 3.0},
        {"timestamp": "2016-12-19", "file_id": "a", "count": 7, "volume": 2.0},
    )


def test_totals_are_the_range_and_the_numbers(e004: RowsOfDownloads) -> None:
    """The answer has the asked range, the value, copied fields of the newest row and as_of."""
    query = TotalsQuery(
        "totals",
        aggregation="file-download-agg",
        required_filters={"file": "file_id"},
        copy_fields={"name": "file_key"},
    )
    assert e004.run(query, file="f-1", start_date="2016-12-19") == {
        "start_date": "2016-12-19T00:00:00.000Z",
        "end_date": None,
        "value": 1.0,
        "name": "file1.txt",
        "as_of": "2016-12-20T06:00:00.000Z",
    }
    assert e004.asked == [(None, "file-download-agg")]


@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_too_large_for_a_number_is_the_largest_one(
    downloads: RowsOfDownloads, sign: int
) -> None:
    """Within one day, and over several: JSON has no infinity, which a client could not read."""
    downloads.write(
        *(
            {"timestamp": day, "file_id": item, "count": 1, "volume": sign * 1.7e308}
            for day in ("2016-12-16", "2016-12-17")
            for item in "ab"
        )
    )
    total = downloads.run(TotalsQuery("totals", **CONFIG))
    by_day = downloads.run(DateHistogramQuery("histogram", **CONFIG))
    by_month = downloads.run(DateHistogramQuery("histogram", **CONFIG), interval="month")
    for found in (total, *by_day["buckets"], *by_month["buckets"]):
        assert found["volume"] == sign * sys.float_info.max


def test_A004_61_without_rows_sums_are_zero_and_the_rest_is_null(
    downloads: RowsOfDownloads,
) -> None:
    """Of nothing there is a sum, but no extreme, no mean, and no row to copy from."""
    copied = {"name": "file_key", "upper": lambda row: row["file_key"].upper()}
    answer = downloads.run(TotalsQuery("totals", **CONFIG, copy_fields=copied))
    assert (answer["value"], answer["volume"]) == (0.0, 0.0)
    assert (answer["least"], answer["most"], answer["mean"]) == (None, None, None)
    assert (answer["name"], answer["upper"]) == (None, None)


def test_every_kind_is_right_over_all_rows(downloads: RowsOfDownloads) -> None:
    """Sum, extremes and mean of the rows' counts; value is there without being declared."""
    write_three_days(downloads)
    answer = downloads.run(TotalsQuery("totals", **CONFIG))
    expected = {"value": 22, "volume": 7.0, "least": 1, "most": 10, "mean": 5.5}
    assert expected.items() <= answer.items()


def test_every_kind_is_right_when_days_make_a_week(downloads: RowsOfDownloads) -> None:
    """A week's mean weighs each row the same, however many rows its days have."""
    write_three_days(downloads)
    query = DateHistogramQuery("histogram", **CONFIG)
    first, second = downloads.run(query, interval="week")["buckets"]
    assert {"value": 15, "volume": 5.0, "least": 1, "most": 10, "mean": 5}.items() <= first.items()
    assert {"value": 7, "least": 7, "most": 7, "mean": 7}.items() <= second.items()


def test_an_empty_bucket_has_no_extremes(downloads: RowsOfDownloads) -> None:
    """Where nothing was counted the sum is 0 and the extremes are null."""
    write_three_days(downloads)
    buckets = downloads.run(DateHistogramQuery("histogram", **CONFIG))["buckets"]
    assert [bucket["value"] for bucket in buckets] == [5, 10, 0, 7]
    assert buckets[2]["most"] is None


def test_extremes_of_dates_are_texts(downloads: RowsOfDownloads) -> None:
    """In totals, in buckets of a value and in those that several rows make up; null of nothing."""
    downloads.write(
        {"timestamp": "2016-12-16", "file_id": "a", "first_seen": "2016-12-16T10:00:00.000Z"},
        {"timestamp": "2016-12-17", "file_id": "b", "first_seen": "2016-12-17T09:00:00.000Z"},
        {"timestamp": "2016-12-19", "file_id": "a", "first_seen": "2016-12-19T08:00:00.000Z"},
        {"timestamp": "2016-12-20", "file_id": "c"},
    )
    metrics = {"first": ("min", "first_seen"), "last": ("max", "first_seen")}
    config: dict[str, Any] = {"index": "stats-x", "metric_fields": metrics}
    total = downloads.run(TotalsQuery("totals", **config))
    assert total["first"] == "2016-12-16T10:00:00.000Z"
    assert total["last"] == "2016-12-19T08:00:00.000Z"
    by_file = TermsQuery("terms", aggregated_fields=["file_id"], **config)
    assert numbers(downloads.run(by_file), "key", "last") == {
        "a": "2016-12-19T08:00:00.000Z",
        "b": "2016-12-17T09:00:00.000Z",
        "c": None,
    }
    answer = downloads.run(DateHistogramQuery("histogram", **config), interval="week")
    assert numbers(answer, number="first") == {
        "2016-12-12": "2016-12-16T10:00:00.000Z",
        "2016-12-19": "2016-12-19T08:00:00.000Z",
    }
    days = downloads.run(DateHistogramQuery("histogram", **config), interval="day")
    assert numbers(days, number="first")["2016-12-18"] is None


def test_W15_added_unique_counts_are_marked_as_approximate(downloads: RowsOfDownloads) -> None:
    """A visitor of two rows counts twice in their sum, so the answer says so."""
    downloads.write(
        {"timestamp": "2016-12-18", "unique_count": 3},
        {"timestamp": "2016-12-19", "unique_count": 2},
    )
    metric_fields = {"visitors": ("sum", "unique_count")}
    query = TotalsQuery("totals", index="stats-file-download", metric_fields=metric_fields)
    answer = downloads.run(query)
    assert answer["visitors"] == 5.0
    assert answer["approximate"]["visitors"]["bound"] == 1.0, "at least 2.5 were there"
    assert "counts once in each" in answer["approximate"]["visitors"]["reason"]


def test_unique_counts_of_single_rows_are_exact(downloads: RowsOfDownloads) -> None:
    """Where each bucket is one row, its unique count is the stored one, which is exact."""
    downloads.write(
        {"timestamp": "2016-12-18", "unique_count": 3},
        {"timestamp": "2016-12-19", "unique_count": 2},
    )
    query = DateHistogramQuery(
        "histogram",
        index="stats-file-download",
        metric_fields={"value": ("sum", "unique_count")},
    )
    by_day = downloads.run(query)
    assert [bucket["value"] for bucket in by_day["buckets"]] == [3, 2]
    assert "approximate" not in by_day
    assert "approximate" in downloads.run(query, interval="month")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (("cardinality", "unique_count"), r"\('unique', 'unique_count'\) says how many"),
        (("summ", "count"), "did you mean 'sum'"),
        (("count", "count"), "did you mean|known: "),
        ("count", r"write \(kind, row field\)"),
        (("sum",), r"write \(kind, row field\)"),
        (("sum", 3), r"write \(kind, row field\)"),
    ],
)
def test_metric_fields_that_rows_can_not_give_are_refused(spec: Any, message: str) -> None:
    """A kind that can't be computed from rows is refused when the query is made."""
    with pytest.raises(DefinitionError, match=message):
        TermsQuery("terms", index="stats-x", metric_fields={"number": spec})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (("sum", "volumes"), "did you mean 'volume'"),
        (("max", "file_key"), "no number or date"),
        (("sum", "first_seen"), "has the type date, which is no number$"),
        (("mean", "first_seen"), "has the type date, which is no number$"),
        (("mean", "mean_size"), "a mean is taken of counts"),
        (("unique", "volume"), "no unique count of the rows"),
        (("unique", "uniqe_count"), "did you mean 'unique_count'"),
    ],
)
def test_metric_fields_that_these_rows_lack_are_refused(
    downloads: RowsOfDownloads, spec: Any, message: str
) -> None:
    """A field that is missing, no number, or not in every row gives an error, no number."""
    query = TotalsQuery("totals", index="stats-x", metric_fields={"number": spec})
    with pytest.raises(DefinitionError, match=message):
        downloads.run(query)


def test_a_value_is_a_number(downloads: RowsOfDownloads) -> None:
    """Buckets are sorted and drawn by it, so it is no date, not even an extreme of dates."""
    query = TotalsQuery("t", index="stats-x", metric_fields={"value": ("min", "first_seen")})
    with pytest.raises(DefinitionError, match="'value': 'first_seen' has the type date"):
        downloads.run(query)
