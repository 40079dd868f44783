"""The doctor finds what is wrong in the host's settings and in what packages register."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.operation.conftest import ask, by_name, failed
from tests.support import E004_EVENTS, Backend, MakePipeline


@pytest.mark.parametrize(
    ("settings", "title", "said"),
    [
        (
            {"STATS_QUERIES": {"record-view-total": {"query_config": {"index": "stats-x"}}}},
            "query 'record-view-total' of stats_pipeline",
            "one of 'index' and 'aggregation'",
        ),
        (
            {
                "STATS_QUERIES": {
                    "record-view-total": {
                        "query_config": {"aggregation": None, "index": "stats-record-veiw"}
                    }
                }
            },
            "query 'record-view-total' of stats_pipeline",
            "which no aggregation writes",
        ),
        (
            {
                "STATS_QUERIES": {
                    "record-view-total": {
                        "query_config": {"metric_fields": {"v": ("sum", "weight")}}
                    }
                }
            },
            "query 'record-view-total' of stats_pipeline",
            "rows have no field 'weight'",
        ),
        (
            {
                "STATS_QUERIES": {
                    "record-view-histogram": {"query_config": {"copy_fields": {"x": "recordid"}}}
                }
            },
            "query 'record-view-histogram' of stats_pipeline",
            "did you mean 'record_id'?",
        ),
        (
            {"STATS_QUERIES": {"record-view-total": {"permission": "nowhere:nobody"}}},
            "query 'record-view-total' of stats_pipeline",
            "can't be imported",
        ),
        (
            {
                "STATS_AGGREGATIONS": {
                    "record-view-agg": {"aggregator_config": {"aggregation_field": "isbn"}}
                }
            },
            "aggregation 'record-view-agg' of stats_pipeline",
            "has no field 'isbn'",
        ),
        (
            {
                "STATS_EVENTS": {
                    "record-view": {
                        "processor_config": {
                            "preprocessors": [
                                "stats_pipeline.events.preprocessors:anonymize_user",
                                "stats_pipeline.events.preprocessors:flag_robots",
                            ]
                        }
                    }
                }
            },
            "event type 'record-view' of stats_pipeline",
            "in this order: flag_robots, anonymize_user",
        ),
        (
            {"STATS_EVENTS": {"record-view": {"signal": "nowhere:nothing"}}},
            "event type 'record-view' of stats_pipeline",
            "can't be imported",
        ),
    ],
)
def test_a_wrong_registration_is_found_without_an_event(
    embedded: Backend, make_pipeline: MakePipeline, settings: Any, title: str, said: str
) -> None:
    """Its owner is named, and what does not need it is tried all the same."""
    report = ask(make_pipeline(embedded, **settings))
    # What builds on it can't be used either, and says the same.
    assert title in failed(report)
    assert all(said in hop.detail for hop in report.hops if hop.status == "failed")
    assert report.is_misconfigured
    assert by_name(report)["test event counted by a query"].is_ok


def test_what_does_not_fit_to_a_replaced_event_type_can_be_switched_off(
    embedded: Backend, make_pipeline: MakePipeline, tmp_path: Path
) -> None:
    """The doctor names all of it and says how; then it finds nothing more."""
    template = {"template": {"mappings": {"properties": {"recid": {"type": "keyword"}}}}}
    (tmp_path / "record-view.json").write_text(json.dumps(template))
    events = {"record-view": {"replaces": True, "templates": str(tmp_path)}}
    report = ask(make_pipeline(embedded, STATS_EVENTS=events))
    assert failed(report) == {
        "aggregation 'record-view-agg' of stats_pipeline",
        "query 'record-view-histogram' of stats_pipeline",
        "query 'record-view-total' of stats_pipeline",
    }
    advice = by_name(report)["query 'record-view-total' of stats_pipeline"].advice
    assert "aggregations and queries can be switched off there, with None" in advice
    report = ask(
        make_pipeline(
            embedded,
            STATS_EVENTS=events,
            STATS_AGGREGATIONS={"record-view-agg": None},
            STATS_QUERIES={"record-view-histogram": None, "record-view-total": None},
        )
    )
    assert failed(report) == set()


def test_a_setting_that_does_not_fit_to_what_is_stored(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """What was recorded at first use is compared before a worker refuses to work."""
    first = make_pipeline(embedded)
    first.publish("file-download", E004_EVENTS)
    first.process_events()
    first.update()
    events = {"file-download": {"processor_config": {"double_click_window": 30}}}
    rows = {"record-view-agg": {"aggregator_config": {"time_zone": "Europe/Zurich"}}}
    report = ask(make_pipeline(embedded, STATS_EVENTS=events, STATS_AGGREGATIONS=rows))
    assert "events of file-download" in failed(report)
    assert "double_click_window was 10" in by_name(report)["events of file-download"].detail
    assert report.is_misconfigured
