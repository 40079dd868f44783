"""Parameters: how values are read, and that odd ones are refused and never break anything."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.clock import parse_time
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.fields import FIELD_TYPES, FILTERABLE
from stats_pipeline.queries import DateHistogramQuery, TotalsQuery
from stats_pipeline.queries.parameters import (
    MOST_FILTER_VALUES,
    read_end,
    read_filter,
    read_start,
)
from tests.queries.rows import RowsOfDownloads

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)
FILTERS = {
    "bucket": "bucket_id",
    "public": "is_public",
    "size": "size_class",
    "volume": "volume",
    "start": "start",
}


def totals(**config: Any) -> TotalsQuery:
    """Return a totals query with an optional filter on a field of each kind."""
    config = {"optional_filters": FILTERS, **config}
    return TotalsQuery("totals", index="stats-file-download", **config)


@pytest.mark.parametrize(
    ("value", "start", "end"),
    [
        ("2016-12-18", "2016-12-18T00:00", "2016-12-19T00:00"),
        ("20161218", "2016-12-18T00:00", "2016-12-19T00:00"),
        ("2016-W50-7", "2016-12-18T00:00", "2016-12-19T00:00"),
        ("2016353", "2016-12-18T00:00", "2016-12-19T00:00"),
        (date(2016, 12, 18), "2016-12-18T00:00", "2016-12-19T00:00"),
        ("2016-12-18T10:00", "2016-12-18T10:00", "2016-12-18T10:00"),
        ("2016-12-18T10:00:00.1239Z", "2016-12-18T10:00:00.123", "2016-12-18T10:00:00.123"),
        ("2016-12-18T10:00+05:30", "2016-12-18T04:30", "2016-12-18T04:30"),
        ("2016-12-18t10:00:00z", "2016-12-18T10:00", "2016-12-18T10:00"),
        (datetime(2016, 12, 18, 10, tzinfo=UTC), "2016-12-18T10:00", "2016-12-18T10:00"),
        ("2999-12-31", "2999-12-31T00:00", "3000-01-01T00:00"),
    ],
)
def test_A004_55_dates_are_read_as_the_first_instant_and_through_their_end(
    value: Any, start: str, end: str
) -> None:
    """A bare date as end includes that date; a date-time is exclusive (amended by D1)."""
    assert read_start(value, UTC) == parse_time(start)
    assert read_end(value, UTC) == parse_time(end)


NO_DATES: list[Any] = [
    *("may", "", "2016", "2016-12", "2016-W51", "2016-13-01", "2016-12-18 10:00", "9" * 40),
    *("0001-01-01", "9999-12-31", "0001-01-01T00:00+12:00", "9999-12-31T23:59-12:00"),
    *("\ud800", "٢٠١٦-١٢-١٨", 20161218, 10**40, True, 1.5, [], ["2016-12-18"], {}),
]


@pytest.mark.parametrize("value", NO_DATES)
def test_A004_55_what_is_no_date_is_refused_with_the_form_that_is(
    downloads: RowsOfDownloads, value: Any
) -> None:
    """Words, numbers, lists and times beyond the calendar are 400 for each bound."""
    for name in ("start_date", "end_date"):
        with pytest.raises(InvalidParameter, match="ISO 8601") as caught:
            downloads.run(totals(), **{name: value})
        assert caught.value.parameter == name


def test_a_null_date_is_no_date(e004: RowsOfDownloads) -> None:
    """Clients send null for a bound that they don't want."""
    answer = e004.run(totals(), start_date=None, end_date=None)
    assert (answer["start_date"], answer["value"]) == (None, 6.0)


def test_a_start_after_the_end_is_refused(downloads: RowsOfDownloads) -> None:
    """A range that ends before it begins is a mistake; one that ends where it begins is empty."""
    for start in ("2016-12-19", "2016-12-18T23:59", "2016-12-18T12:00:00.001"):
        with pytest.raises(InvalidParameter, match="is after the 'end_date'"):
            downloads.run(totals(), start_date=start, end_date="2016-12-18T12:00")
    with pytest.raises(InvalidParameter, match="is after the 'end_date'"):
        downloads.run(totals(), start_date="2016-12-19", end_date="2016-12-18")
    for start in ("2016-12-18", "2016-12-18T12:00"):
        downloads.run(totals(), start_date=start, end_date="2016-12-18T12:00")
    downloads.run(totals(), start_date="2016-12-18T12:00", end_date="2016-12-18")


def test_rows_of_all_time_have_no_range(downloads: RowsOfDownloads) -> None:
    """Rows that cover all time can't be cut, and the error says so."""
    with pytest.raises(InvalidParameter, match="covers all time"):
        downloads.of("all").run(totals(), end_date="2016-12-18")


def test_A004_53_a_missing_required_filter_is_named_with_all_of_them(
    downloads: RowsOfDownloads,
) -> None:
    """The error has the query, the missing one, and all that are required."""
    query = totals(required_filters={"a": "bucket_id", "b": "file_id"})
    with pytest.raises(InvalidParameter, match=r"totals: .*'b' is missing; required: a, b"):
        downloads.run(query, a="20")


def test_A004_53_an_unknown_parameter_is_named_with_the_allowed_ones(
    downloads: RowsOfDownloads,
) -> None:
    """A mistyped name is refused, never ignored."""
    with pytest.raises(InvalidParameter, match=r"'bukket' is unknown; allowed: .*bucket") as caught:
        downloads.run(totals(), bukket="20")
    assert caught.value.parameter == "bukket"


@pytest.mark.parametrize("name", ["self", "name", "params", ""])
def test_no_parameter_name_collides_with_ours(downloads: RowsOfDownloads, name: str) -> None:
    """Any text may be sent as a parameter's name."""
    with pytest.raises(InvalidParameter, match="is unknown"):
        downloads.run(totals(), **{name: 1})


@pytest.mark.parametrize(
    ("filters", "value"),
    [
        ({"bucket": "20"}, 3),
        ({"bucket": 20}, 3),
        ({"bucket": ["20", 21]}, 7),
        ({"bucket": ["20"], "public": "true"}, 1),
        ({"public": False}, 2),
        ({"size": "7"}, 4),
        ({"size": [7, 5.0]}, 6),
        ({"volume": "1e1"}, 1),
        ({"start": "2016-12-18"}, 7),
        ({"bucket": "2"}, 0),
    ],
)
def test_T004_13_filters_take_values_of_their_field_in_any_form(
    downloads: RowsOfDownloads, filters: dict[str, Any], value: int
) -> None:
    """Numbers match text ids, text matches numbers and booleans, a list matches any of its own."""
    downloads.write(
        {"timestamp": "2016-12-18", "bucket_id": "20", "is_public": True, "volume": 10.0},
        {
            "timestamp": "2016-12-18",
            "bucket_id": "20",
            "file_id": "f-2",
            "is_public": False,
            "size_class": 5,
            "count": 2,
        },
        {"timestamp": "2016-12-18", "bucket_id": "21", "size_class": 7, "count": 4},
    )
    assert downloads.run(totals(), **filters)["value"] == value


@pytest.mark.parametrize(
    "filters",
    [
        {"bucket": None},
        {"bucket": {}},
        {"bucket": []},
        {"bucket": [[]]},
        {"bucket": ["20", None]},
        {"bucket": True},
        {"bucket": "\ud800"},
        {"bucket": "x" * 40_000},
        {"bucket": ["x"] * (MOST_FILTER_VALUES + 1)},
        {"public": "yes"},
        {"public": 1},
        {"size": "large"},
        {"size": 1.5},
        {"size": 10**40},
        {"size": "9" * 5_000},
        {"volume": "nan"},
        {"volume": 10**400},
        {"start": "may"},
    ],
)
def test_odd_filter_values_are_refused_by_name(
    downloads: RowsOfDownloads, filters: dict[str, Any]
) -> None:
    """What can't be a value of the field is 400 with the parameter's name, never another error."""
    with pytest.raises(InvalidParameter) as caught:
        downloads.run(totals(), **filters)
    assert caught.value.parameter == next(iter(filters))
    assert len(str(caught.value)) < 400


@given(value=ANYTHING, field_type=st.sampled_from(sorted(FILTERABLE)))
def test_a_filter_value_is_read_or_refused(value: Any, field_type: str) -> None:
    """Whatever is given for a field of whatever type: stored values come out, or ValueError."""
    try:
        values = read_filter(value, field_type)
    except ValueError:
        return
    assert values == tuple(FIELD_TYPES[field_type](one) for one in values)


@given(params=st.dictionaries(st.text() | st.sampled_from(["start_date", "interval"]), ANYTHING))
def test_parameters_are_checked_or_refused(params: dict[str, Any]) -> None:
    """Whatever the parameters: they pass, or one of them is named."""
    query = DateHistogramQuery("histogram", index="stats-file-download")
    try:
        query.check(params)
    except InvalidParameter as error:
        refused = error.parameter
    else:
        refused = ""
    assert refused is not None
