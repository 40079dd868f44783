"""Answers as tables: what both the REST API and the command line make of them."""

from typing import Any

import pytest

from stats_pipeline.queries import DateHistogramQuery, TermsQuery
from stats_pipeline.queries.tables import bucket_rows, has_buckets, key_columns, tabulate
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
    assert bucket_rows(answer) == [
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
    assert bucket_rows(answer) == [
        {"date": "2016-12-18T00:00:00.000Z", "value": 5.0},
        {"date": "2016-12-19T00:00:00.000Z", "value": 1.0},
    ]


def test_no_number_stands_in_the_place_of_a_key_of_its_name(downloads: RowsOfDownloads) -> None:
    """Rows by minutes, say, beside their sum: the key's column gets another name."""
    downloads.write(
        *(
            {"timestamp": "2016-12-18", "file_id": f"f-{n}", "size_class": size, "count": count}
            for n, (size, count) in enumerate([(10, 3), (30, 1), (30, 1)])
        )
    )
    query = terms("size_class", metric_fields={"size_class": ("sum", "size_class")})
    answer = downloads.run(query)
    assert bucket_rows(answer) == [
        {"size_class_": 10, "value": 3.0, "size_class": 10.0},
        {"size_class_": 30, "value": 2.0, "size_class": 60.0},
    ]
    assert tabulate(answer, query.columns).columns == ["size_class_", "value", "size_class"]
    copied = terms("file_id", "size_class", copy_fields={"size_class": "file_id"})
    assert list(copied.columns) == ["file_id", "size_class_", "value", "size_class"]
    assert [list(row) for row in bucket_rows(downloads.run(copied))] == [copied.columns] * 3


@pytest.mark.parametrize(
    ("keys", "others", "columns"),
    [
        (["value"], ["value"], ["value_"]),
        (["value", "value_"], ["value"], ["value__", "value_"]),
        (["path"], ["value", "path", "path_"], ["path__"]),
        (["path", "path"], ["value"], ["path", "path_"]),
        (["imported"], ["value"], ["imported_"]),  # which other buckets have as a number
    ],
)
def test_every_column_has_a_name_for_itself(
    keys: list[str], others: list[str], columns: list[str]
) -> None:
    """Whatever fields and numbers are called; numbers keep their names."""
    assert key_columns(keys, others) == columns


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
        (
            {"buckets": [{"key": "a", "buckets": [{"key": "b", "n": 1}, {"key": "c", "n": 2}]}]},
            [{"key": "a", "key_": "b", "n": 1}, {"key": "a", "key_": "c", "n": 2}],
        ),
        (
            {"field": "value", "buckets": [{"key": "a", "value": 1}]},
            [{"value_": "a", "value": 1}],
        ),
    ],
)
def test_A004_62_a_hosts_own_buckets_lose_no_column(
    level: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    """The natural shapes of what comes from an SQL table, with `field` and `key` or without."""
    assert has_buckets(level)
    assert bucket_rows(level) == rows


@pytest.mark.parametrize("buckets", [{"a": 1}, [1, 2], None, "ab", ({},)])
def test_what_is_no_list_of_dicts_is_no_level_of_buckets(buckets: object) -> None:
    """Then the answer is one row, with the whole of it in a cell."""
    assert not has_buckets({"buckets": buckets})
    assert tabulate({"buckets": buckets}).columns == ["buckets"]
