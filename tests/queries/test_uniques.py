"""Unique counts over several rows: merged, marked, exact where they are exact, or refused."""

from collections.abc import Iterable
from typing import Any

import pytest

from stats_pipeline.errors import DefinitionError, InvalidParameter, QueryError
from stats_pipeline.queries import DateHistogramQuery, TermsQuery, TotalsQuery
from stats_pipeline.sketches import BOUND, count_and_sketch
from tests.queries.rows import RowsOfDownloads, numbers

CONFIG: dict[str, Any] = {
    "index": "stats-file-download",
    "optional_filters": {"file": "file_id"},
    "metric_fields": {"visitors": ("unique", "unique_count")},
}
APPROXIMATE = {"visitors": {"bound": BOUND}}


def row(time: str, visitors: Iterable[object], **fields: Any) -> dict[str, Any]:
    """Return a row of that time with so many visitors, and their sketch if there are any."""
    count, sketch = count_and_sketch(visitors)
    sketches = {"unique_count_sketch": sketch} if count else {}
    return {"timestamp": time, "file_id": "a", **fields, "unique_count": count, **sketches}


@pytest.fixture
def visited(downloads: RowsOfDownloads) -> RowsOfDownloads:
    """Give rows of two files, whose visitors come on several days."""
    downloads.write(
        row("2016-12-17", range(10), file_key="x"),
        row("2016-12-18", range(5, 12), file_key="x"),
        row("2016-12-18", range(3), file_id="b", file_key="y"),
        row("2016-12-19", (), file_id="b", file_key="y"),
        row("2017-01-02", range(4), file_id="b", file_key="y"),
    )
    return downloads


def test_W15_a_longer_interval_counts_who_came_on_several_days_once(
    visited: RowsOfDownloads,
) -> None:
    """Visitors of a month are the union of its days, and the answer says how exact that is.

    Of its days that were asked for, and of the files.
    """
    query = DateHistogramQuery("histogram", **CONFIG)
    answer = visited.run(query, interval="month")
    assert numbers(answer, number="visitors") == {"2016-12-01": 12, "2017-01-01": 4}
    assert answer["approximate"] == APPROXIMATE
    of_b = visited.run(query, interval="month", file="b")
    assert numbers(of_b, number="visitors") == {"2016-12-01": 3, "2017-01-01": 4}
    of_two_days = visited.run(query, interval="month", start_date="2016-12-18")
    assert numbers(of_two_days, number="visitors") == {"2016-12-01": 10, "2017-01-01": 4}


def test_fewer_dimensions_count_who_came_for_several_files_once(visited: RowsOfDownloads) -> None:
    """A day over all files is the union of their rows; days between hits have nobody."""
    answer = visited.run(DateHistogramQuery("histogram", **CONFIG), end_date="2016-12-19")
    days = {"2016-12-17": 10, "2016-12-18": 10, "2016-12-19": 0}
    assert numbers(answer, number="visitors") == days
    assert answer["approximate"] == APPROXIMATE


def test_the_bound_of_added_numbers_holds(visited: RowsOfDownloads) -> None:
    """Over n rows, a visitor counts at most n times: the true number is that of their union."""
    fields = {"visits": ("sum", "unique_count"), "visitors": ("unique", "unique_count")}
    answer = visited.run(TotalsQuery("totals", **{**CONFIG, "metric_fields": fields}))
    bound = answer["approximate"]["visits"]["bound"]
    assert (answer["visits"], answer["visitors"], bound) == (24.0, 12.0, 4.0)
    assert answer["visits"] <= answer["visitors"] * (1 + bound)


def test_single_rows_are_exact_and_not_marked(visited: RowsOfDownloads) -> None:
    """Where each bucket is one row, its number is the stored one, whatever its sketch says."""
    visited.write({**row("2016-12-20", range(3)), "unique_count": 1_000_000})
    answer = visited.run(DateHistogramQuery("histogram", **CONFIG), file="a")
    days = {"2016-12-17": 10, "2016-12-18": 7, "2016-12-19": 0, "2016-12-20": 1_000_000}
    assert numbers(answer, number="visitors") == days
    assert "approximate" not in answer


def test_W15_totals_are_the_union_of_the_range(visited: RowsOfDownloads) -> None:
    """Of all rows, of those that a filter keeps, of one row, and of none."""
    query = TotalsQuery("totals", **CONFIG)
    everything = visited.run(query)
    assert (everything["visitors"], everything["approximate"]) == (12.0, APPROXIMATE)
    assert visited.run(query, file="b")["visitors"] == 4
    of_one_row = visited.run(query, file="a", end_date="2016-12-17")
    assert (of_one_row["visitors"], "approximate" in of_one_row) == (10.0, False)
    nothing = visited.run(query, file="z")
    assert (nothing["visitors"], "approximate" in nothing) == (0.0, False)


def test_a_size_chooses_terms_by_their_union(downloads: RowsOfDownloads) -> None:
    """Not by the sum, in which who comes on three days counts three times."""
    downloads.write(
        *(row(f"2016-12-{day}", range(2), file_id="again") for day in (17, 18, 19)),
        row("2016-12-18", range(5), file_id="once"),
        row("2016-12-18", range(1), file_id="other"),
        row("2016-12-18", range(9)) | {"file_id": None},
    )
    config = {**CONFIG, "metric_fields": {"value": ("unique", "unique_count")}}
    query = TermsQuery("terms", aggregated_fields=["file_id"], **config)
    whole = downloads.run(query)
    assert numbers(whole, "key") == {"once": 5.0, "again": 2.0, "other": 1.0}
    assert whole["value"] == 9.0
    assert downloads.run(query, size=2) == {**whole, "buckets": whole["buckets"][:2]}


def test_terms_of_a_field_with_several_values_have_no_union(downloads: RowsOfDownloads) -> None:
    """A row would be in several groups, whose rows do not come one after the other."""
    downloads.write(
        row("2016-12-17", range(3), file_key=["x", "y"]),
        row("2016-12-18", range(5), file_key="x"),
    )
    config = {**CONFIG, "metric_fields": {"visitors": ("unique", "unique_count")}}
    query = TermsQuery("terms", aggregated_fields=["file_key"], **config)
    with pytest.raises(QueryError, match="visitors can't be counted by file_key, since some rows"):
        downloads.run(query)
    config["metric_fields"] = {"value": ("sum", "count")}
    query = TermsQuery("terms", aggregated_fields=["file_key"], **config)
    assert numbers(downloads.run(query), "key") == {"x": 2.0, "y": 1.0}


def test_W15_terms_are_the_union_at_each_level(visited: RowsOfDownloads) -> None:
    """The number of a level above is not the sum of those below; buckets go by their value.

    Only what was asked for is in it.
    """
    config = {**CONFIG, "metric_fields": {"value": ("unique", "unique_count")}}
    query = TermsQuery("terms", aggregated_fields=["file_id", "file_key"], **config)
    answer = visited.run(query)
    assert answer["value"] == 12
    assert numbers(answer, "key") == {"a": 12, "b": 4}
    assert [numbers(bucket, "key") for bucket in answer["buckets"]] == [{"x": 12}, {"y": 4}]
    assert answer["approximate"] == {"value": {"bound": BOUND}}
    later = visited.run(query, start_date="2016-12-18")
    assert (later["value"], numbers(later, "key")) == (11, {"a": 7, "b": 4})


def test_many_visitors_are_counted_within_the_bound(downloads: RowsOfDownloads) -> None:
    """Ten thousand of them, each on two of ten days."""
    people = [f"{number:032x}" for number in range(10_000)]
    days = [people[day::10] + people[(day + 1) % 10 :: 10] for day in range(10)]
    downloads.write(*(row(f"2016-12-1{day}", people) for day, people in enumerate(days)))
    visitors = downloads.run(TotalsQuery("totals", **CONFIG))["visitors"]
    assert abs(visitors - 10_000) <= BOUND * 10_000


@pytest.mark.parametrize("sketch", [{}, {"unique_count_sketch": "AAAA"}])
def test_rows_without_a_sketch_are_refused_where_they_would_be_merged(
    downloads: RowsOfDownloads, sketch: dict[str, Any]
) -> None:
    """An older or imported row is exact by itself; over several, the message says what to do."""
    downloads.write(
        {"timestamp": "2016-12-18", "file_id": "a", "unique_count": 2, **sketch},
        row("2016-12-19", range(3)),
    )
    query = DateHistogramQuery("histogram", **CONFIG)
    answer = downloads.run(query)
    assert numbers(answer, number="visitors") == {"2016-12-18": 2, "2016-12-19": 3}
    with pytest.raises(QueryError, match=r"2016-12-18.*stats reset file-download-agg"):
        downloads.run(query, interval="month")


@pytest.mark.parametrize(
    ("window", "interval", "allowed"),
    [
        ("month", "day", True),
        ("month", "month", True),
        ("month", "week", False),
        ("month", "year", False),
        ("day", "day", True),
        ("day", "month", False),
        ("year", "quarter", True),
    ],
)
def test_D10_buckets_beyond_the_salt_window_are_refused(
    visited: RowsOfDownloads, window: Any, interval: str, allowed: bool
) -> None:
    """One visitor has another id in each window; the message names what is allowed instead."""
    query = DateHistogramQuery("histogram", **CONFIG)
    rows = visited.salted(window)
    if allowed:
        assert rows.run(query, interval=interval)["buckets"]
        return
    with pytest.raises(InvalidParameter, match=f"within one {window}.*intervals: day") as caught:
        rows.run(query, interval=interval)
    assert caught.value.parameter == "interval"


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ({"start_date": "2016-12-01", "end_date": "2016-12-31"}, True),
        ({"start_date": "2016-12-18T10:00:00Z", "end_date": "2017-01-01T00:00:00Z"}, True),
        ({"start_date": "2016-12-31", "end_date": "2017-01-01"}, False),
        ({"start_date": "2016-12-01"}, False),
        ({"end_date": "2016-12-31"}, False),
        ({}, False),
    ],
)
def test_D10_a_range_beyond_the_salt_window_is_refused(
    visited: RowsOfDownloads, asked: dict[str, str], allowed: bool
) -> None:
    """Each kind of query takes a range that lies within one window, and says so otherwise."""
    rows = visited.salted("month")
    totals = TotalsQuery("totals", **CONFIG)
    terms = TermsQuery("terms", aggregated_fields=["file_id"], **CONFIG)
    by_year = DateHistogramQuery("histogram", **CONFIG)
    for query, params in ((totals, {}), (terms, {}), (by_year, {"interval": "year"})):
        if allowed:
            assert "visitors" in str(rows.run(query, **asked, **params))
        else:
            with pytest.raises(InvalidParameter, match="visitors have other ids in each month"):
                rows.run(query, **asked, **params)


def test_sums_are_not_refused_beyond_the_salt_window(visited: RowsOfDownloads) -> None:
    """Only what tells visitors apart needs their ids."""
    query = TotalsQuery("totals", index="stats-file-download")
    assert visited.salted("day").run(query)["value"] == 5


def test_no_answer_shows_a_sketch(visited: RowsOfDownloads) -> None:
    """Neither by a copied field, which is refused, nor to a callable that copies everything."""
    everything = TotalsQuery("totals", copy_fields={"row": dict}, **CONFIG)
    assert "sketch" not in str(visited.run(everything))
    with pytest.raises(DefinitionError, match="'unique_count_sketch' is not shown"):
        visited.run(TotalsQuery("totals", copy_fields={"x": "unique_count_sketch"}, **CONFIG))
    by_sketch = TermsQuery("terms", index="x", aggregated_fields=["unique_count_sketch"])
    with pytest.raises(DefinitionError, match="can't be nested by"):
        visited.run(by_sketch)
