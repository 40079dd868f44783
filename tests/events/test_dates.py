"""Dates whose template names a format: whatever it is, both stores take them in our form."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import BROWSER, Backend, MakePipeline, stored_events


def date(form: str) -> dict[str, str]:
    """Return the mapping of a date in this form."""
    return {"type": "date", "format": form}


def write(folder: Path, name: str, **properties: Any) -> None:
    """Write an index template with these fields."""
    body = {"template": {"mappings": {"properties": properties}}}
    (folder / f"{name}.json").write_text(json.dumps(body))


@pytest.mark.parametrize("form", ["yyyy-MM-dd", "date_hour_minute_second", "epoch_millis"])
def test_the_format_of_a_date_changes_nothing(
    backend: Backend, make_pipeline: MakePipeline, tmp_path: Path, form: str
) -> None:
    """In events and in rows: ISO 8601 goes in, our form comes out, and nothing is a dead letter."""
    write(tmp_path, "thing", item={"type": "keyword"}, timestamp=date(form), sold=date(form))
    write(tmp_path, "stats-thing", timestamp=date(form), sold=date(form))
    pipeline = make_pipeline(
        backend,
        STATS_EVENTS={"thing": {"templates": str(tmp_path)}},
        STATS_AGGREGATIONS={
            "thing-agg": {
                "templates": str(tmp_path),
                "aggregator_config": {
                    "event": "thing",
                    "aggregation_field": "item",
                    "copy_fields": {"sold": "sold"},
                    "metrics": {"first_sold": ("first", "sold")},
                },
            }
        },
        STATS_QUERIES={
            "things": {
                "query_class": "stats_pipeline:TotalsQuery",
                "query_config": {
                    "aggregation": "thing-agg",
                    "copy_fields": {"sold": "sold", "first_sold": "first_sold"},
                    "optional_filters": {"sold": "sold"},
                },
                "permission": "stats_pipeline.permissions:allow_everyone",
            }
        },
    )
    event = {"item": "a", "sold": "2016-12-17", "user_agent": BROWSER}
    pipeline.publish("thing", [{**event, "timestamp": "2016-12-18T10:00:00+01:00"}])
    assert pipeline.process_events().indexed == 1
    (stored,) = stored_events(pipeline, "thing")
    assert stored["timestamp"] == "2016-12-18T09:00:00.000Z"
    assert stored["sold"] == "2016-12-17T00:00:00.000Z"
    assert pipeline.update(["thing-agg"]).is_complete
    answer = pipeline.query("things", sold="2016-12-17", end_date="2016-12-18")
    assert answer["value"] == 1
    assert answer["sold"] == answer["first_sold"] == "2016-12-17T00:00:00.000Z"
