"""Answers say by themselves how much of them was counted elsewhere, and can be asked without it."""

from dataclasses import replace
from typing import Any

import pytest

from stats_pipeline.errors import DefinitionError, InvalidParameter, QueryError
from stats_pipeline.queries import DateHistogramQuery, TermsQuery, TotalsQuery
from tests.queries.rows import RowsOfDownloads, numbers

INDEX = "stats-file-download"
FILES = {"index": INDEX, "aggregated_fields": ["bucket_id", "file_id"]}


@pytest.fixture
def history(e004: RowsOfDownloads) -> RowsOfDownloads:
    """Give the rows of E004, and some that two other programs have counted in November."""
    rows: list[dict[str, Any]] = [
        {"timestamp": "2016-11-01", "file_id": "f-1", "count": 10, "source": "awstats"},
        {"timestamp": "2016-11-02", "file_id": "f-1", "count": 20, "source": "awstats"},
        {"timestamp": "2016-11-02", "file_id": "f-3", "count": 5, "source": "old"},
    ]
    e004.write(*({"bucket_id": "20", **row} for row in rows))
    return e004


def parts(answer: dict[str, Any], key: str = "date") -> dict[Any, Any]:
    """Return what the answer and its buckets say of imported rows; dates by their day."""
    found = {"": answer["imported"]} if "imported" in answer else {}
    for bucket in answer["buckets"]:
        if "imported" in bucket:
            found[bucket[key][:10] if key == "date" else bucket[key]] = bucket["imported"]
    return found


def test_every_answer_with_imported_rows_says_how_much_is_of_which_source(
    history: RowsOfDownloads,
) -> None:
    """Of the answer's own `value`, in total and in each bucket that has such rows."""
    of_all = {"awstats": 30.0, "old": 5.0}
    total = history.run(TotalsQuery("total", index=INDEX))
    assert (total["value"], total["imported"]) == (41.0, of_all)
    by_month = history.run(DateHistogramQuery("histogram", index=INDEX), interval="month")
    assert parts(by_month) == {"": of_all, "2016-11-01": of_all}
    by_day = history.run(DateHistogramQuery("histogram", index=INDEX))
    assert parts(by_day) == {
        "": of_all,
        "2016-11-01": {"awstats": 10.0},
        "2016-11-02": {"awstats": 20.0, "old": 5.0},
    }
    nested = history.run(TermsQuery("terms", **FILES))
    assert parts(nested, "key") == {"": of_all, "20": of_all}
    (bucket,) = nested["buckets"]
    assert parts(bucket, "key") == {"": of_all, "f-1": {"awstats": 30.0}, "f-3": {"old": 5.0}}
    for size, shown in ((1, {"f-1"}), (2, {"f-1", "f-3"})):  # what is cut off says nothing
        (bucket,) = history.run(TermsQuery("terms", **FILES), size=size)["buckets"]
        assert parts(bucket, "key").keys() == {"", *shown}


def test_an_answer_without_imported_rows_has_the_known_shape(history: RowsOfDownloads) -> None:
    """By its range, its filters, or since nothing was ever imported: nothing is added."""
    for query in (
        DateHistogramQuery("histogram", index=INDEX),
        TermsQuery("terms", **FILES),
        TotalsQuery("total", index=INDEX, optional_filters={"file": "file_id"}),
    ):
        answer = history.run(query, start_date="2016-12-01")
        assert answer["value" if "value" in answer else "buckets"]
        assert "imported" not in str(answer)
    assert "imported" not in history.run(query, file="f-2")
    assert "imported" not in replace(history, takes_history=False).run(query)


@pytest.mark.parametrize(
    ("source", "value", "imported"),
    [
        ("", 6, None),
        ([""], 6, None),
        ("awstats", 30, {"awstats": 30.0}),
        (["awstats", "old"], 35, {"awstats": 30.0, "old": 5.0}),
        (["", "old"], 11, {"old": 5.0}),
        (["", "awstats", "old"], 41, {"awstats": 30.0, "old": 5.0}),
        (None, 41, {"awstats": 30.0, "old": 5.0}),
        ("piwik", 0, None),
    ],
)
def test_the_source_chooses_which_rows_count(
    history: RowsOfDownloads, source: Any, value: float, imported: dict[str, float] | None
) -> None:
    """Empty text is what was counted here; several sources are any of them."""
    total = history.run(TotalsQuery("total", index=INDEX), source=source)
    assert (total["value"], total.get("imported")) == (value, imported)
    (bucket,) = history.run(TermsQuery("terms", **FILES), source=source)["buckets"] or [total]
    assert (bucket["value"], bucket.get("imported")) == (value, imported)
    by_day = history.run(DateHistogramQuery("histogram", index=INDEX), source=source)
    assert sum(numbers(by_day).values()) == value


def test_a_share_is_what_the_query_says_of_the_source_alone(history: RowsOfDownloads) -> None:
    """Whatever kind of number its value is; how many visitors there were nobody can tell."""
    history.write(
        {"timestamp": "2016-10-01", "file_id": "f-1", "unique_count": 7, "source": "awstats"},
        {"timestamp": "2016-10-02", "file_id": "f-1", "unique_count": 8, "source": "awstats"},
    )
    for kind in ("min", "max", "mean"):
        query = TotalsQuery("total", index=INDEX, metric_fields={"value": (kind, "count")})
        alone = history.run(query, source="awstats")
        assert history.run(query)["imported"]["awstats"] == alone["value"]
    visitors = DateHistogramQuery(
        "visitors", index=INDEX, metric_fields={"value": ("unique", "unique_count")}
    )
    answer = history.run(visitors, start_date="2016-10-01", end_date="2016-10-31")
    assert parts(answer) == {
        "": {"awstats": None},
        "2016-10-01": {"awstats": 7.0},
        "2016-10-02": {"awstats": 8.0},
    }
    with pytest.raises(QueryError, match=r"imported from elsewhere \(leave it out by an empty 's"):
        history.run(visitors, interval="month")
    assert history.run(visitors, interval="month", source="")["buckets"][0]["value"] == 0


def test_a_filter_of_the_hosts_own_may_be_called_source(history: RowsOfDownloads) -> None:
    """It means what the host says; the parameter is described only where it is ours."""
    own = TotalsQuery("total", index=INDEX, optional_filters={"source": "file_id"})
    assert history.run(own, source="f-2")["value"] == 1
    assert [p["name"] for p in own.parameters].count("source") == 1
    described = {p["name"]: p for p in TotalsQuery("total", index=INDEX).parameters}
    assert "`source=` without a name" in described["source"]["description"]
    with pytest.raises(DefinitionError, match="two things called 'imported'"):
        TotalsQuery("total", index=INDEX, copy_fields={"imported": "file_id"})


def test_rows_that_have_a_source_of_their_own_are_not_chosen_by_it(
    history: RowsOfDownloads,
) -> None:
    """There are no imported ones among them; and what is no text is refused by name."""
    query = TotalsQuery("total", index=INDEX)
    with pytest.raises(InvalidParameter, match="'source' can't be given") as caught:
        replace(history, takes_history=False).run(query, source="")
    assert caught.value.parameter == "source"
    wrong: Any
    for wrong in ([], [None], {}, True, "x" * 40_000):
        with pytest.raises(InvalidParameter) as caught:
            history.run(query, source=wrong)
        assert caught.value.parameter == "source"
