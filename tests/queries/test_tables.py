"""Answers as tables: what both the REST API and the command line make of them."""

from typing import Any

import pytest

from stats_pipeline.queries import DateHistogramQuery, TermsQuery
from stats_pipeline.queries.tables import bucket_rows, has_buckets, tabulate
from tests.queries.rows import RowsOfDownloads


def terms(*fields: str, **config: Any) -> TermsQuery:
    """Return a terms query nested by these fields."""
    return TermsQuery("terms", index="stats-file-download", aggregated_fields=fields, **config)


def test_each_innermost_bucket_is_a_row_also_where_its_rows_lack_the_inner_field(
    e004: RowsOfDownloads,
) -> None:
    """No number is lost: a bucket without any in it stands for itself, its parents never do."""
    e004.write({"timestamp": "2016-12-18", "bucket_id": "21", "count": 2})
    answer = e004.run(terms("bucket_id", "file_key"))
    assert list(bucket_rows(answer)) == [
        {"bucket_id": "20", "file_key": "file1.txt", "value": 5.0},
        {"bucket_id": "20", "file_key": "file2.txt", "value": 1.0},
        {"bucket_id": "21", "value": 2.0},
    ]
    table = tabulate(answer, terms("bucket_id", "file_key").columns)
    assert table.columns == ["bucket_id", "file_key", "value"]
    assert table.rows[-1] == ["21", "", "2"]


def test_buckets_over_time_are_known_by_their_date(e004: RowsOfDownloads) -> None:
    """The key says the same in milliseconds, and is left out."""
    answer = e004.run(DateHistogramQuery("days", index="stats-file-download"))
    assert list(bucket_rows(answer)) == [
        {"date": "2016-12-18T00:00:00.000Z", "value": 5.0},
        {"date": "2016-12-19T00:00:00.000Z", "value": 1.0},
    ]


@pytest.mark.parametrize(
    ("level", "rows"),
    [
        (
            {"buckets": [{"key": "Harbour", "free": 0}, {"key": "Station", "free": 4}]},
            [{"key": "Harbour", "free": 0}, {"key": "Station", "free": 4}],
        ),
        (
            {"field": "station", "buckets": [{"key": "Harbour", "type": "sea", "field": 1}]},
            [{"station": "Harbour", "type": "sea", "field": 1}],
        ),
        ({"buckets": [{"station": "Harbour", "n": 1}]}, [{"station": "Harbour", "n": 1}]),
        (
            {"field": "station", "buckets": [{"station": "Harbour", 1: 2}]},
            [{"station": "Harbour", "1": 2}],
        ),
        ({"field": 5, "buckets": [{"key": "a", "date": "b"}]}, [{"key": "a", "date": "b"}]),
        (
            {"buckets": [{"key": "a", "field": "c", "n": 3, "buckets": [{"key": "b", "n": 1}]}]},
            [{"key": "a", "c": "b", "n": 1}],
        ),
    ],
)
def test_A004_62_a_hosts_own_buckets_lose_no_column(
    level: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    """The natural shapes of what comes from an SQL table, with `field` and `key` or without."""
    assert has_buckets(level)
    assert list(bucket_rows(level)) == rows


@pytest.mark.parametrize("buckets", [{"a": 1}, [1, 2], None, "ab", ({},)])
def test_what_is_no_list_of_dicts_is_no_level_of_buckets(buckets: object) -> None:
    """Then the answer is one row, with the whole of it in a cell."""
    assert not has_buckets({"buckets": buckets})
    assert tabulate({"buckets": buckets}).columns == ["buckets"]
