"""Cases of processing: what a task takes and by which class, and templates before documents."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from flask import Flask

from scripts.services.server import wait_until
from stats_pipeline import EventsIndexer
from stats_pipeline.model import Event, Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.reports import Outcome
from stats_pipeline.tasks import process_events
from tests.acceptance.conftest import Make
from tests.acceptance.downloads import downloads, take
from tests.support import Backend, MakeApp, pipeline_of, stored_events

VIEW: Event = {"record_id": "r-1", "pid_type": "recid", "pid_value": "1"}


class RenamingIndexer(EventsIndexer):
    """A host's own processor class."""

    def index(self, events: Sequence[Any]) -> list[Outcome]:
        """Index each event under another name of its file."""
        return super().index([{**event, "file_key": "renamed"} for event in events])


class FailingIndexer(EventsIndexer):
    """A host's own processor class with a bug."""

    def index(self, events: Sequence[Any]) -> list[Outcome]:
        """Fail."""
        raise ZeroDivisionError(f"a bug in the host's code, met by {len(events)} events")


@pytest.fixture
def app(backend: Backend, make_app: MakeApp) -> Flask:
    """Give a host that has its own class for downloads, and ours for views."""
    events: dict[str, Any] = {
        "file-download": {"processor_class": RenamingIndexer},
        "record-view": {},
    }
    return make_app(backend.store_url, backend.broker_url, STATS_EVENTS=events)


def test_A004_19_a_task_takes_all_of_the_given_types_by_their_registered_class(app: Flask) -> None:
    """Three lists of downloads are taken, the views wait until their type is named."""
    pipeline = pipeline_of(app)
    for day in ("2017-01-01", "2017-01-02", "2017-02-01"):
        pipeline.publish("file-download", downloads(day, day, files=2))
    pipeline.publish("record-view", [{**VIEW, "timestamp": "2017-01-01", "user_id": "u1"}])
    with app.app_context():
        report = process_events(["file-download"])
        assert (list(report["types"]), report["indexed"]) == (["file-download"], 6)
        assert [event["file_key"] for event in stored_events(pipeline)] == ["renamed"] * 6
        report = process_events(["record-view"])
        assert (list(report["types"]), report["indexed"]) == (["record-view"], 1)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"processor_class": FailingIndexer}, "a bug in the host's code, met by 2 events"),
        ({"processor_config": {"double_click_window": 60}}, "double_click_window"),
    ],
    ids=["bug", "configuration"],
)
def test_W9_a_type_that_fails_keeps_its_events_and_lets_those_behind_it_through(
    make: Make, wrong: dict[str, Any], error: str
) -> None:
    """Views are counted in the same run, downloads when what was wrong is right again."""
    right = make(STATS_EVENTS={"file-download": {}})
    take(right, downloads("2017-01-01", "2017-01-01"))
    pipeline = make(STATS_EVENTS={"file-download": wrong, "record-view": {}})
    pipeline.publish("file-download", downloads("2017-01-02", "2017-01-03"))
    pipeline.publish("record-view", [{**VIEW, "timestamp": "2017-01-01", "user_id": "u1"}])
    report = pipeline.process_events()
    assert error in report.types["file-download"].error
    assert (report.types["file-download"].taken, report.types["record-view"].indexed) == (0, 1)
    wait_until(lambda: right.process_events().indexed == 2, timeout_seconds=30)
    assert right.dead_letters.list() == []


@pytest.fixture
def doors(make: Make, tmp_path: Path) -> Pipeline:
    """Give a pipeline of doors, whose template says what is text and what is a number."""
    properties = {"door": {"type": "keyword"}, "degrees": {"type": "double"}}
    (tmp_path / "door-opened.json").write_text(
        json.dumps({"template": {"mappings": {"properties": properties}}})
    )
    door = {"templates": str(tmp_path), "processor_config": {"preprocessors": []}}
    return make(STATS_EVENTS={"door-opened": door})


def test_A004_33_events_are_indexed_by_the_template_of_their_registration(doors: Pipeline) -> None:
    """As a number 9 is before 10, as text it is behind 100."""
    numbers = [10, 9, 100]
    doors.publish("door-opened", [{"door": number, "degrees": number} for number in numbers])
    assert doors.process_events().indexed == 3
    alias = doors.registries.event_type("door-opened").alias
    doors.store.refresh([alias])
    with doors.store.snapshot([alias]) as events:
        ordered = {
            field: [event.body[field] for event in events.scan(Filter(), [field])]
            for field in ("degrees", "door")
        }
    assert ordered == {"degrees": [9.0, 10.0, 100.0], "door": ["10", "100", "9"]}


@pytest.mark.parametrize(
    "backend", [pytest.param("distributed", marks=pytest.mark.servers)], indirect=True
)
def test_A004_33_no_document_is_written_before_the_template_is_installed(
    doors: Pipeline, backend: Backend
) -> None:
    """Where Elasticsearch refuses it, as for a rival's of the same pattern, all events wait."""
    template = doors.registries.event_type("door-opened").template
    doors.publish("door-opened", [{"door": "north", "degrees": 4}])
    with Elasticsearch(backend.store_url) as api:
        rival = f"{template.alias}-rival"
        api.indices.put_index_template(name=rival, body=template.body)
        report = doors.process_events()
        assert (report.taken, report.dead) == (0, 0)
        assert "rival" in report.types["door-opened"].error
        assert not api.indices.get(index=f"{template.alias}-*")
        api.indices.delete_index_template(name=rival)
        assert doors.process_events().indexed == 1
        (installed,) = api.indices.get_index_template(name=template.alias)["index_templates"]
    mappings = installed["index_template"]["template"]["mappings"]
    assert mappings["properties"]["degrees"] == {"type": "double"}
