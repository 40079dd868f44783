"""Terms queries: buckets per value, nested by several fields."""

from typing import Any

import pytest

from stats_pipeline.errors import DefinitionError, InvalidParameter
from stats_pipeline.queries import TermsQuery
from stats_pipeline.stores.elasticsearch.groups import PAGE_GROUPS
from tests.queries.rows import RowsOfDownloads, numbers


def terms(*fields: str, **config: Any) -> TermsQuery:
    """Return a terms query nested by these fields."""
    return TermsQuery("terms", index="stats-file-download", aggregated_fields=fields, **config)


def test_A004_57_E004_terms_have_the_very_numbers_and_the_shape_that_clients_know(
    e004: RowsOfDownloads,
) -> None:
    """Bucket 20 by file key over both days: file1.txt 5, file2.txt 1."""
    query = terms("file_key", required_filters={"bucket_id": "bucket_id"})
    answer = e004.run(query, bucket_id="20", start_date="2016-12-18", end_date="2016-12-19")
    assert answer == {
        "start_date": "2016-12-18T00:00:00.000Z",
        "end_date": "2016-12-20T00:00:00.000Z",
        "type": "bucket",
        "field": "file_key",
        "key_type": "terms",
        "value": 6.0,
        "buckets": [{"key": "file1.txt", "value": 5.0}, {"key": "file2.txt", "value": 1.0}],
        "as_of": "2016-12-20T06:00:00.000Z",
    }


def test_A004_61_without_rows_the_answer_has_its_full_shape(downloads: RowsOfDownloads) -> None:
    """An index that is not there yet gives zero, and empty buckets."""
    assert downloads.run(terms("file_key", "file_id")) == {
        "start_date": None,
        "end_date": None,
        "type": "bucket",
        "field": "file_key",
        "key_type": "terms",
        "value": 0.0,
        "buckets": [],
        "as_of": "2016-12-20T06:00:00.000Z",
    }


def test_A004_56_buckets_nest_level_by_level_and_have_the_fields_of_their_newest_row(
    e004: RowsOfDownloads,
) -> None:
    """Each level has its field, each bucket its value and what its newest row says."""
    answer = e004.run(terms("bucket_id", "file_key", copy_fields={"id": "file_id"}))
    assert answer["id"] == "f-1"
    (bucket,) = answer["buckets"]
    assert bucket == {
        "key": "20",
        "value": 6.0,
        "id": "f-1",
        "type": "bucket",
        "field": "file_key",
        "key_type": "terms",
        "buckets": [
            {"key": "file1.txt", "value": 5.0, "id": "f-1"},
            {"key": "file2.txt", "value": 1.0, "id": "f-2"},
        ],
    }


def test_A004_55_every_level_has_only_what_was_asked_for(e004: RowsOfDownloads) -> None:
    """Neither another day nor another bucket comes back in the buckets below the total."""
    e004.write(
        {"timestamp": "2016-12-17", "bucket_id": "20", "file_key": "old.txt", "count": 10},
        {"timestamp": "2016-12-18", "bucket_id": "21", "file_key": "file1.txt", "count": 100},
    )
    query = terms("bucket_id", "file_key", required_filters={"bucket": "bucket_id"})
    answer = e004.run(query, bucket=20, start_date="2016-12-18", end_date="2016-12-18")
    assert (answer["value"], numbers(answer, "key")) == (5.0, {"20": 5.0})
    assert numbers(answer["buckets"][0], "key") == {"file1.txt": 4.0, "file2.txt": 1.0}


def test_B27_seven_a_day_for_seven_days_make_49(downloads: RowsOfDownloads) -> None:
    """One file with 7 downloads on each of 7 days has a bucket of 49."""
    downloads.write(
        *({"timestamp": f"2016-12-{d}", "file_key": "f", "count": 7} for d in range(10, 17))
    )
    assert numbers(downloads.run(terms("file_key")), "key") == {"f": 49.0}


#: Outer and inner values: more pairs than a page of any store has, and more values in one bucket
#: than limits of buckets usually allow.
OUTER, INNER = 11, 1_901


def count_of(outer: int, inner: int) -> int:
    """Return how often a file of a bucket was downloaded: many equal numbers, and no order."""
    return (outer * 7 + inner * 3) % 5


@pytest.fixture
def many(downloads: RowsOfDownloads) -> RowsOfDownloads:
    """Give more than twenty thousand rows, each of a bucket and a file of its own."""
    assert OUTER * INNER > PAGE_GROUPS
    downloads.write(
        *(
            {
                "timestamp": "2016-12-18",
                "bucket_id": f"b-{outer:03}",
                "file_id": f"f-{inner:03}",
                "count": count_of(outer, inner),
            }
            for outer in range(OUTER)
            for inner in range(INNER)
        )
    )
    return downloads


def test_A004_57_nested_buckets_have_no_cap_and_are_the_highest_first(
    many: RowsOfDownloads,
) -> None:
    """More than a page of any store, at two levels: all are there, ties by key."""
    answer = many.run(terms("bucket_id", "file_id"))
    found = {
        bucket["key"]: {inner["key"]: inner["value"] for inner in bucket["buckets"]}
        for bucket in answer["buckets"]
    }
    assert found == {
        f"b-{outer:03}": {f"f-{inner:03}": count_of(outer, inner) for inner in range(INNER)}
        for outer in range(OUTER)
    }
    for level in (answer, *answer["buckets"]):
        buckets = level["buckets"]
        assert level["value"] == sum(bucket["value"] for bucket in buckets)
        assert buckets == sorted(buckets, key=lambda b: (-b["value"], b["key"]))


def test_A004_57_size_gives_the_highest_of_each_level(many: RowsOfDownloads) -> None:
    """The beginning of the whole answer; what is cut off counts in the level above."""
    whole = many.run(terms("bucket_id", "file_id"))
    answer = many.run(terms("bucket_id", "file_id"), size=3)
    assert answer == {
        **whole,
        "buckets": [
            {**bucket, "buckets": bucket["buckets"][:3]} for bucket in whole["buckets"][:3]
        ],
    }
    assert many.run(terms("bucket_id", "file_id"), size=10**30) == whole


@pytest.mark.parametrize("size", ["0", 0, -1, "ten", 2.5, True, "", [3], "\u0663", "1" * 30])
def test_a_size_that_is_no_number_of_buckets_is_refused(
    downloads: RowsOfDownloads, size: object
) -> None:
    """400, with what is allowed, and before anything is read."""
    with pytest.raises(InvalidParameter, match="'size' must be a whole number from 1") as caught:
        terms("file_id").check({"size": size})
    assert caught.value.parameter == "size"
    with pytest.raises(InvalidParameter, match="'size' must be"):
        downloads.run(terms("file_id"), size=size)


def test_a_size_may_come_from_an_address(e004: RowsOfDownloads) -> None:
    """As text; the total is that of all files."""
    answer = e004.run(terms("file_key"), size="1")
    assert (answer["value"], numbers(answer, "key")) == (6.0, {"file1.txt": 5.0})


def test_rows_without_the_field_count_in_the_level_above(downloads: RowsOfDownloads) -> None:
    """The total is that of all rows, also of those that are in no bucket."""
    downloads.write(
        {"timestamp": "2016-12-18", "file_id": "f-1", "file_key": "a"},
        {"timestamp": "2016-12-18", "file_id": "f-2"},
    )
    answer = downloads.run(terms("file_key"))
    assert (answer["value"], numbers(answer, "key")) == (2.0, {"a": 1.0})


def test_numbers_and_booleans_are_keys_as_well(downloads: RowsOfDownloads) -> None:
    """A field of numbers nests by numbers, a boolean one by booleans."""
    downloads.write({"timestamp": "2016-12-18", "is_public": True, "size_class": 3})
    (bucket,) = downloads.run(terms("is_public", "size_class"))["buckets"]
    assert bucket["key"] is True
    assert numbers(bucket, "key") == {3: 1.0}


def test_rows_can_not_be_nested_by_what_stores_can_not_group_by(
    downloads: RowsOfDownloads,
) -> None:
    """A field that the rows lack, or of text, is refused with the nearest that works."""
    with pytest.raises(DefinitionError, match="did you mean 'file_key'"):
        downloads.run(terms("file_keys"))
    with pytest.raises(DefinitionError, match="nested by 'note'"):
        downloads.run(terms("note"))


def test_without_fields_it_answers_like_totals(e004: RowsOfDownloads) -> None:
    """Configurations of invenio-stats write totals as terms without fields."""
    assert e004.run(terms())["value"] == 6.0
    assert "buckets" not in e004.run(terms())
