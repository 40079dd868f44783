"""The worked example E004, number by number, on both stores and both queues."""

from __future__ import annotations

from typing import Any

import pytest

from stats_pipeline.model import Filter
from stats_pipeline.pipeline import Pipeline
from tests.support import E004_EVENTS, Backend, MakePipeline, stored_events

MYSTAT = {
    "start_date": "2016-12-18",
    "end_date": "2016-12-19",
    "bucket_id": 20,
    "file_key": "file1.txt",
}


def run_example(
    make_pipeline: MakePipeline, backend: Backend, **processor_config: Any
) -> tuple[Pipeline, Any]:
    """Publish, process and aggregate E004; return the pipeline and the processing report."""
    events = {"file-download": {"processor_config": processor_config}}
    unfiltered = {
        "file-robots-agg": {
            "aggregator_config": {
                "event": "file-download",
                "aggregation_field": "unique_id",
                "query_modifiers": [],
            },
        }
    }
    pipeline = make_pipeline(backend, STATS_EVENTS=events, STATS_AGGREGATIONS=unfiltered)
    pipeline.publish("file-download", E004_EVENTS)
    report = pipeline.process_events(["file-download"])
    assert pipeline.update(["file-download-agg", "file-robots-agg"]).is_complete
    return pipeline, report


def totals(pipeline: Pipeline, alias: str = "stats-file-download") -> dict[tuple[str, str], int]:
    """Return (item, day) -> count."""
    prefix = pipeline.settings["STATS_INDEX_PREFIX"]
    with pipeline.store.snapshot([prefix + alias]) as rows:
        found = rows.scan(Filter(), ["timestamp", "unique_id"])
        return {(r.body["unique_id"], r.body["start"][:10]): r.body["count"] for r in found}


def test_E004_seven_raw_documents_come_out_of_ten_events(
    make_pipeline: MakePipeline, backend: Backend
) -> None:
    """One document for each visitor, item and window; the latest event of a window is kept."""
    pipeline, report = run_example(make_pipeline, backend)
    assert (report.taken, report.indexed + report.duplicates) == (10, 10)
    documents = stored_events(pipeline)
    assert [event["event_id"] for event in documents] == ["e4", "e5", "e2", "e3", "e6", "e7", "e9"]
    assert [event["event_id"] for event in documents if event["is_robot"]] == ["e6"]


@pytest.mark.parametrize(
    ("window", "documents", "first_day", "second_day"),
    [(10, 7, 4, 1), (0, 9, 5, 2), (30, 6, 3, 1), (60, 6, 3, 1)],
)
def test_E004_the_rollup_of_each_window(
    make_pipeline: MakePipeline,
    backend: Backend,
    window: int,
    documents: int,
    first_day: int,
    second_day: int,
) -> None:
    """Robots are left out; a wider window merges more (0 is off, D18)."""
    pipeline, _ = run_example(make_pipeline, backend, double_click_window=window)
    assert len(stored_events(pipeline)) == documents
    assert totals(pipeline) == {
        ("20_f-1", "2016-12-18"): first_day,
        ("20_f-1", "2016-12-19"): second_day,
        ("20_f-2", "2016-12-18"): 1,
    }


def test_E004_with_robots_the_first_file_has_five(
    make_pipeline: MakePipeline, backend: Backend
) -> None:
    """Without the modifier that leaves robots out, one more download of that day counts."""
    pipeline, _ = run_example(make_pipeline, backend)
    assert totals(pipeline, "stats-file-robots")["20_f-1", "2016-12-18"] == 5


def test_E004_A004_35_daily_indices_hold_six_and_one(
    make_pipeline: MakePipeline, backend: Backend
) -> None:
    """An event of 2016-12-18 is in the index that ends with its day."""
    pipeline, _ = run_example(make_pipeline, backend, index_interval="day")
    alias = pipeline.registries.event_type("file-download").alias
    sizes = []
    for day in ("2016-12-18", "2016-12-19"):
        with pipeline.store.snapshot([f"{alias}-{day}"]) as index:
            sizes.append(index.count(Filter()))
    assert sizes == [6, 1]


def test_E004_aggregating_twice_gives_the_same_three_documents(
    make_pipeline: MakePipeline, backend: Backend
) -> None:
    """A second update, and a second delivery of all ten events, change nothing."""
    pipeline, _ = run_example(make_pipeline, backend)
    before = totals(pipeline)
    pipeline.publish("file-download", E004_EVENTS)
    assert pipeline.process_events().indexed == 0
    report = pipeline.update(["file-download-agg"]).aggregations["file-download-agg"]
    assert (report.created, report.updated, report.unchanged, report.deleted) == (0, 0, 3, 0)
    assert totals(pipeline) == before


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("day", {"2016-12-18": 4.0, "2016-12-19": 1.0}),
        ("week", {"2016-12-12": 4.0, "2016-12-19": 1.0}),
        ("month", {"2016-12-01": 5.0}),
        ("quarter", {"2016-10-01": 5.0}),
        ("year", {"2016-01-01": 5.0}),
    ],
)
def test_E004_A004_52_mystat_answers_for_each_interval(
    make_pipeline: MakePipeline, backend: Backend, interval: str, expected: dict[str, float]
) -> None:
    """The bucket id is given as a number; each bucket carries the copied fields."""
    pipeline, _ = run_example(make_pipeline, backend)
    answer = pipeline.query("bucket-file-download-histogram", interval=interval, **MYSTAT)
    assert {bucket["date"][:10]: bucket["value"] for bucket in answer["buckets"]} == expected
    assert {(b["bucket_id"], b["file_key"]) for b in answer["buckets"]} == {("20", "file1.txt")}
    assert answer["as_of"]


def test_E004_the_terms_query_counts_by_file_key(
    make_pipeline: MakePipeline, backend: Backend
) -> None:
    """Both days together: file1.txt 5, file2.txt 1."""
    pipeline, _ = run_example(make_pipeline, backend)
    answer = pipeline.query("bucket-file-download-total", bucket_id="20")
    assert answer["value"] == 6.0
    assert [(b["key"], b["value"]) for b in answer["buckets"]] == [
        ("file1.txt", 5.0),
        ("file2.txt", 1.0),
    ]
