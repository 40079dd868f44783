"""Facts that people know about values: kept for themselves, joined to answers that ask for them."""

import math
from typing import Any

import pytest

from stats_pipeline.errors import DefinitionError, InvalidParameter
from stats_pipeline.queries import DateHistogramQuery, TermsQuery, TotalsQuery
from stats_pipeline.queries.annotations import Annotation
from tests.queries.rows import RowsOfDownloads

FACTS = {"file_key": ["released_on", "is_official"]}
FILTER = {"optional_filters": {"file": "file_key", "bucket": "bucket_id"}}


def test_facts_about_a_value_are_added_changed_and_removed(downloads: RowsOfDownloads) -> None:
    """Each call changes the facts that it names; a value is known by its text."""
    annotations = downloads.annotations
    annotations.set("size_class", 5, {"released_on": "2016-12-18", "is_official": True})
    annotations.set("size_class", "5", {"is_official": None, "weight": 1.5})
    expected: dict[str, Any] = {"released_on": "2016-12-18", "weight": 1.5}
    assert annotations.get("size_class", 5.0) == expected
    annotations.set("file_key", "b", {"note": "x"})
    annotations.set("file_key", "b", {"note": None})
    assert annotations.list() == [Annotation(field="size_class", value="5", facts=expected)]
    assert annotations.list("file_key") == []
    assert annotations.delete("size_class", 5) is True
    assert annotations.delete("size_class", 5) is False
    assert annotations.get("size_class", 5) == {}


@pytest.mark.parametrize(
    ("field", "value", "facts", "message"),
    [
        ("file_kez", "a", {"x": 1}, "did you mean 'file_key'"),
        ("file_key", ["a"], {"x": 1}, "value must be a text, number or boolean"),
        ("file_key", "x" * 40_000, {"x": 1}, "longer than 32766 bytes"),
        ("file_key", "a", {}, "at least one fact"),
        ("file_key", "a", {"": 1}, "the name of a fact"),
        ("file_key", "a", {"x": [1]}, "'x' must be a text, number or boolean"),
        ("file_key", "a", {"x": math.nan}, "'x' must be a text, number or boolean, not nan"),
        ("file_key", "a", {"x": "y" * 5_000}, "up to 4,000 bytes"),
    ],
)
def test_what_is_no_fact_is_refused_in_a_sentence(
    downloads: RowsOfDownloads, field: Any, value: Any, facts: Any, message: str
) -> None:
    """A field that no rows have, a value that no row can have, facts that are no small values."""
    with pytest.raises(InvalidParameter, match=message):
        downloads.annotations.set(field, value, facts)
    assert downloads.annotations.list() == []


def test_terms_have_the_facts_that_they_are_declared_with(e004: RowsOfDownloads) -> None:
    """Each bucket of the field has each of the facts, null where nobody has set it."""
    e004.annotations.set("file_key", "file1.txt", {"released_on": "2016-01-01", "secret": "x"})
    query = TermsQuery(
        "terms",
        index="stats-file-download",
        aggregated_fields=["bucket_id", "file_key"],
        annotations=FACTS,
    )
    answer = e004.run(query)
    (bucket,) = answer["buckets"]
    assert "annotations" not in answer
    assert "annotations" not in bucket
    assert {each["key"]: each["annotations"] for each in bucket["buckets"]} == {
        "file1.txt": {"file_key": {"released_on": "2016-01-01", "is_official": None}},
        "file2.txt": {"file_key": {"released_on": None, "is_official": None}},
    }


@pytest.mark.parametrize("query_class", [TotalsQuery, DateHistogramQuery, TermsQuery])
def test_an_answer_about_one_value_has_its_facts(
    e004: RowsOfDownloads, query_class: type[TotalsQuery]
) -> None:
    """Where a filter fixes the field; not where it takes several values, or none."""
    e004.annotations.set("file_key", "file1.txt", {"is_official": True})
    query = query_class("q", index="stats-file-download", annotations=FACTS, **FILTER)
    fixed = {"file_key": {"released_on": None, "is_official": True}}
    assert e004.run(query, file="file1.txt", bucket="20")["annotations"] == fixed
    assert e004.run(query, file=["file1.txt", "file2.txt"])["annotations"] == {}
    assert e004.run(query)["annotations"] == {}


def test_answers_of_other_queries_do_not_change(e004: RowsOfDownloads) -> None:
    """Without `annotations` in its configuration a query knows no facts."""
    e004.annotations.set("file_key", "file1.txt", {"is_official": True})
    query = TotalsQuery("q", index="stats-file-download", **FILTER)
    assert "annotations" not in e004.run(query, file="file1.txt")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"annotations": ["file_key"]}, "annotations must be a dict"),
        ({"annotations": {"file_key": "note"}}, r"annotations\['file_key'\] is a list of names"),
        ({"annotations": {"file_kez": ["note"]}}, "did you mean 'file_key'"),
        (
            {"annotations": FACTS, "copy_fields": {"annotations": "file_id"}},
            "two things called 'annotations'",
        ),
    ],
)
def test_facts_that_no_answer_could_show_are_refused(config: Any, message: str) -> None:
    """The error names the query, the key and what to do."""
    with pytest.raises(DefinitionError, match=f"query 'mine': .*{message}"):
        TotalsQuery("mine", index="stats-file-download", **FILTER, **config)
