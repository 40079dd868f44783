"""History that was counted elsewhere: told apart, and touched by no update and no reset."""

import json
from typing import Any

import pytest

from stats_pipeline.errors import InvalidParameter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.pipeline.moving.history import HistoryReport
from tests.aggregations.host import take, update, visits
from tests.moving.conftest import Make
from tests.moving.host import bring

QUERIES = {
    name: {
        "query_class": f"stats_pipeline:{query_class}",
        "permission": "stats_pipeline.permissions:allow_everyone",
        "query_config": {"aggregation": "pages-agg", **config},
    }
    for name, query_class, config in (
        ("total", "TotalsQuery", {}),
        ("sources", "TermsQuery", {"aggregated_fields": ["source"]}),
    )
}
ROWS = [
    {"start": "2010-01-01", "page": "/a", "count": 100},
    {"start": "2010-01-01", "page": "/b", "count": 50},
    {"start": "2010-02-01", "page": "/a", "count": 7},
]


def _bring(pipeline: Pipeline, *rows: dict[str, Any] | bytes, source: str = "old") -> HistoryReport:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    history = pipeline.moving.history("pages-agg", source)
    return history.take(lambda: enumerate(lines, start=1))


def _numbers(pipeline: Pipeline) -> tuple[float, dict[str, float]]:
    pipeline.settings["STATS_QUERIES"] = QUERIES
    total = pipeline.query("total")
    imported = {each["key"]: each["value"] for each in pipeline.query("sources")["buckets"]}
    assert total.get("imported", {}) == imported
    counted_here = pipeline.query("total", source="")
    assert counted_here["value"] == total["value"] - sum(imported.values())
    assert "imported" not in counted_here
    return total["value"], imported


def test_imported_rows_stay_through_update_and_reset_and_are_told_apart(make: Make) -> None:
    """Answers count them, can be grouped and filtered by their source, and lose them on request."""
    pipeline = make()
    take(pipeline, visits(("2017-01-19T10:00", "/a"), ("2016-05-01T10:00", "/a")))
    update(pipeline)
    report = _bring(pipeline, *ROWS)
    assert (report.rows, report.intervals, report.bad) == (3, 2, 0)
    _bring(pipeline, {**ROWS[0], "page": "/c"}, source="older")
    expected = (259, {"old": 157, "older": 100})
    assert _numbers(pipeline) == expected
    assert pipeline.query("total", source="old")["value"] == 157
    assert update(pipeline) == {}
    assert pipeline.reset().is_complete
    assert pipeline.reset(start="2010-01-01", end="2010-12-31").is_complete
    take(pipeline, visits(("2017-01-19T11:00", "/c")))
    update(pipeline)
    assert _numbers(pipeline) == (260, expected[1])
    assert _bring(pipeline, *ROWS).rows == 3
    _bring(pipeline, {**ROWS[2], "count": 8})
    assert _numbers(pipeline) == (261, {"old": 158, "older": 100})
    assert pipeline.moving.history("pages-agg", "old").delete() == 3
    assert _numbers(pipeline) == (103, {"older": 100})


def test_sources_are_listed_with_what_they_have(make: Make) -> None:
    """By aggregation; what has no rows any more is not there, nor what is declared wrongly."""
    both = {"pages-agg": {}, "hours-agg": {"aggregation_interval": "hour"}}
    pipeline = make(aggregations=both)
    assert pipeline.moving.sources() == []
    _bring(pipeline, *ROWS)
    _bring(pipeline, {**ROWS[0], "page": "/c"}, source="older")
    line = json.dumps({**ROWS[0], "start": "2010-01-01T05:00Z"}).encode()
    pipeline.moving.history("hours-agg", "old").take(lambda: [(1, line)])
    first, last = "2010-01-01T00:00:00.000Z", "2010-02-01T00:00:00.000Z"
    hour = "2010-01-01T05:00:00.000Z"
    assert [tuple(entry.as_dict().values()) for entry in pipeline.moving.sources()] == [
        ("hours-agg", "old", 1, hour, hour),
        ("pages-agg", "old", 3, first, last),
        ("pages-agg", "older", 1, first, first),
    ]
    pipeline.moving.history("pages-agg", "old").delete()
    broken: dict[str, Any] = {**both, "hours-agg": {"aggregation_interval": "fortnight"}}
    (entry,) = make(aggregations=broken).moving.sources()
    assert (entry.aggregation, entry.source) == ("pages-agg", "older")


def test_events_that_come_later_for_an_imported_interval_are_told_of(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """In the report and in the log of each run that counts there, and of no other."""
    pipeline = make()
    _bring(pipeline, *ROWS)
    starts = ["2010-01-01T00:00:00.000Z", "2010-02-01T00:00:00.000Z"]

    def told(job: Any, **asked: Any) -> list[str]:
        caplog.clear()
        found: list[str] = (
            job(["pages-agg"], **asked).aggregations["pages-agg"].as_dict()["counted_twice"]
        )
        assert ("answers add imported rows" in caplog.text) == bool(found)
        return found

    take(pipeline, visits(("2010-01-02T10:00", "/a"), ("2017-01-19T10:00", "/a")))
    assert told(pipeline.update) == []
    take(pipeline, visits(("2010-01-01T10:00", "/z"), ("2010-01-02T11:00", "/a")))
    assert told(pipeline.update) == starts[:1]
    assert told(pipeline.update) == []
    take(pipeline, visits(("2010-02-01T10:00", "/a")))
    assert told(pipeline.update) == starts[1:]
    assert told(pipeline.reset) == starts
    assert told(pipeline.reset, start="2010-02-01", end="2010-02-28") == starts[1:]
    assert told(pipeline.reset, start="2017-01-01") == []
    pipeline.moving.history("pages-agg", "old").delete()
    assert told(pipeline.reset) == []


def test_what_another_source_has_counted_is_refused(make: Make) -> None:
    """Nothing of the file is imported; other pages of the same day are no repeats."""
    pipeline = make()
    assert _bring(pipeline, *ROWS).rows == 3
    more = [{"start": "2010-01-01", "page": "/c", "count": 1}, ROWS[1]]
    with pytest.raises(InvalidParameter, match=r"source 'old' has a row of 2010-01-01.*'/b'.*--so"):
        _bring(pipeline, *more, source="older")
    assert _numbers(pipeline) == (157, {"old": 157})
    _bring(pipeline, more[0], source="older")
    assert _bring(pipeline, *ROWS).rows == 3
    assert _numbers(pipeline) == (158, {"old": 157, "older": 1})


def test_rows_of_a_source_that_there_is_not_can_not_be_deleted(make: Make) -> None:
    """A slip of the pen looks like success otherwise; the sources that there are are named."""
    pipeline = make()
    with pytest.raises(InvalidParameter, match="no rows of source 'old'; there are none of any"):
        pipeline.moving.history("pages-agg", "old").delete()
    _bring(pipeline, *ROWS)
    with pytest.raises(InvalidParameter, match="did you mean 'old'"):
        pipeline.moving.history("pages-agg", "odl").delete()
    with pytest.raises(InvalidParameter, match="no rows of source 'xyz'; known: old"):
        pipeline.moving.history("pages-agg", "xyz").delete()
    assert pipeline.moving.history("pages-agg", "old").delete() == 3
    assert _numbers(pipeline) == (0, {})


def test_an_interval_that_has_events_is_refused(make: Make) -> None:
    """With its start and what to do; no row of the file is imported, before an update or after."""
    pipeline = make()
    take(pipeline, visits(("2010-02-01T23:59", "/z")))
    for _again in range(2):
        with pytest.raises(InvalidParameter, match=r"1 of the intervals .*2010-02-01.*leave these"):
            _bring(pipeline, *ROWS)
        update(pipeline)
        assert _numbers(pipeline)[1] == {}


def test_an_interval_whose_events_were_taken_back_takes_history(make: Make) -> None:
    """Once the totals have followed: there is nothing left that it could count again."""
    pipeline = make()
    event = {"event_id": "1", **visits(("2010-02-01T12:00", "/z"))[0]}
    bring(pipeline, [json.dumps(event).encode()], event_type="visit")
    update(pipeline)
    pipeline.moving.undo_import("a")
    with pytest.raises(InvalidParameter, match="have events or rows"):
        _bring(pipeline, *ROWS)
    update(pipeline)
    assert _bring(pipeline, *ROWS).rows == 3
    assert update(pipeline) == {}
    assert _numbers(pipeline) == (157, {"old": 157})


def test_bad_rows_are_named_and_nothing_is_imported(make: Make) -> None:
    """By number and reason."""
    pipeline = make()
    bad = {
        b"{": "not JSON",
        b"{}": "start must be an ISO 8601 date",
        b'{"start": "2010-01-01T01:00Z", "page": "/a", "count": 1}': "its interval (day), which is",
        b'{"start": "2010-01-01", "count": 1}': "no 'page'",
        b'{"start": "2010-01-01", "page": "/a"}': "no 'count'",
        b'{"start": "2010-01-01", "page": "/a", "count": -1}': "below 0",
        b'{"start": "2010-01-01", "page": "/a", "count": "x"}': "whole number",
        b'{"start": "2010-01-01", "page": "/a", "count": 1, "cuont": 1}': "did you mean 'count'",
        b'{"start": "2010-01-01", "page": "/a", "count": 1, "source": "x"}': "no field 'source'",
        b'{"start": "2010-01-01", "page": "/a", "count": 1, "end": "2011"}': "its end is not",
    }
    report = _bring(pipeline, *bad, *ROWS)
    assert (report.rows, report.bad) == (3, len(bad))
    for number, (named, reason) in enumerate(
        zip(report.bad_lines, bad.values(), strict=True), start=1
    ):
        assert named["line"] == number
        assert reason in named["reason"]
    update(pipeline)
    assert _numbers(pipeline) == (0, {})


def test_rows_that_have_a_source_of_their_own_take_no_history(make: Make) -> None:
    """It could not be told apart."""
    pipeline = make(aggregations={"pages-agg": {"metrics": {"source": ("sum", "size")}}})
    with pytest.raises(InvalidParameter, match="a field 'source' of its own"):
        _bring(pipeline, *ROWS)
    with pytest.raises(InvalidParameter, match="source 'a b'"):
        _bring(pipeline, source="a b")
