"""A value that its field can't hold costs that value, and no other row."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from stats_pipeline.fields import LARGEST
from stats_pipeline.metrics import Max, Mean, Sum
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.reports import AggregationReport
from tests.aggregations.conftest import Make
from tests.aggregations.host import counts, table, take, update, visits

DAY, OTHER_DAY = "2017-01-10", "2017-01-11"
WRONG = [
    {"event_id": f"{n}", "timestamp": f"{DAY}T10:00:00Z", "page": "wrong", "size": 2**62}
    for n in range(2)
]


def job(pipeline: Pipeline, name: str = "update") -> AggregationReport:
    """Do it; nothing may be left to do."""
    report = getattr(pipeline, name)(["pages-agg"])
    assert report.is_complete, report
    found: AggregationReport = report.aggregations["pages-agg"]
    return found


@pytest.mark.parametrize("interval", ["day", "month"])
def test_a_sum_that_is_too_large_keeps_no_other_row_from_being_right(
    make: Make, caplog: pytest.LogCaptureFixture, interval: str
) -> None:
    """It is the largest number there, by an update as by a reset, and one error says so.

    A month follows from its days, so that of which a day is too large is too large.
    """
    config = {"metrics": {"volume": Sum("size")}, "aggregation_interval": interval}
    pipeline = make(aggregations={"pages-agg": config})
    start = DAY if interval == "day" else "2017-01-01"
    good = visits((f"{DAY}T10:00:00Z", "good"), size=1)
    take(pipeline, [*WRONG, *good])
    caplog.set_level(logging.ERROR)
    for name, volume in (("update", 1), ("update", 2), ("reset", 3)):
        caplog.clear()
        report = job(pipeline, name)
        assert table(pipeline, field="volume") == {
            (start, "good"): volume,
            (start, "wrong"): LARGEST["long"],
        }
        for said in (report.unfit, caplog.text):
            assert f"{DAY}T00:00:00.000Z: in the row of page='wrong': volume is" in said
            assert f"a long can't hold '{2**63}': expected a whole number of 64 bits" in said
            assert "Withdraw" in said
        assert "pages-agg" in caplog.text
        assert len(caplog.records) == 1
        (run,) = pipeline.runs(name, limit=1)
        assert "volume" in run.errors["pages-agg"]
        if name == "update":
            nothing = job(pipeline)
            assert (nothing.intervals, counts(nothing.as_dict()), nothing.unfit) == (0, {}, "")
            take(pipeline, good)
    take(pipeline, [{**WRONG[0], "revision": 1, "withdrawn": True}])
    assert not job(pipeline).unfit
    assert table(pipeline, field="volume")[start, "wrong"] == 2**62


def test_a_month_stays_too_large_when_another_of_its_days_changes(make: Make) -> None:
    """A number that leaves out the day would look as if it were right."""
    config = {"metrics": {"volume": Sum("size")}, "aggregation_interval": "month"}
    pipeline = make(aggregations={"pages-agg": config})
    take(pipeline, WRONG)
    update(pipeline)
    take(pipeline, visits((f"{OTHER_DAY}T10:00:00Z", "wrong"), size=5))
    assert "2017-01-01T00:00:00.000Z: in the row of page='wrong'" in job(pipeline).unfit
    assert table(pipeline, field="volume") == {("2017-01-01", "wrong"): LARGEST["long"]}


def test_infinity_and_the_largest_numbers_are_alike_on_both_stores(make: Make) -> None:
    """An extreme is the value of an event, and so always fits, also where it was a double."""
    config = {
        "metrics": {"total": Sum("score"), "mean": Mean("score"), "largest": Max("size")},
        "copy_fields": {"kind": "kind"},
    }
    pipeline = make(aggregations={"pages-agg": config})
    largest = LARGEST["double"]
    take(pipeline, visits(*[(f"{DAY}T10:00:00Z", "a")] * 2, score=largest, size=LARGEST["long"]))
    unfit = job(pipeline).unfit
    assert f"total is {largest}, since a double can't hold 'inf'" in unfit
    (key,) = table(pipeline)
    found: dict[str, Any] = {
        name: table(pipeline, field=name)[key] for name in ("total", "mean", "largest")
    }
    assert found == {"total": largest, "mean": largest, "largest": LARGEST["long"]}


def a_list(_: dict[str, Any]) -> list[str]:
    """Return what no field of a row holds."""
    return ["a", "b\0"]


def test_what_is_no_number_is_left_out(make: Make) -> None:
    """There is none that stands for it; how many rows it concerns is said."""
    pipeline = make(aggregations={"pages-agg": {"copy_fields": {"kind": a_list}}})
    take(pipeline, visits((f"{DAY}T10:00:00Z", "a"), (f"{DAY}T10:00:00Z", "b")))
    unfit = job(pipeline).unfit
    assert "in the row of page='a': kind is left out, since a keyword can't hold" in unfit
    assert "(1 more row likewise)" in unfit
    assert set(table(pipeline, field="kind").values()) == {None}
    assert set(table(pipeline).values()) == {1}
