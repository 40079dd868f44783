"""The tasks: which app they run in, what they return, and what they say when something fails."""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from flask import Flask

from stats_pipeline import EventsIndexer, current_stats
from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import ConfigurationError, UnknownAggregation, UnknownEventType
from stats_pipeline.events import drain as draining
from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.reports import Outcome
from stats_pipeline.tasks import (
    apply_retention,
    beat_schedule,
    make_app,
    process_events,
    update_aggregations,
)
from tests.celery import host
from tests.support import E004_EVENTS, Backend, MakeApp, MakePipeline, pipeline_of

DEPLOYMENT = Path(__file__).parents[2] / "docs" / "deployment.md"

VIEW: Event = {"record_id": "r-1", "pid_type": "id", "pid_value": "1", "user_id": "u1"}


@pytest.fixture
def app(make_app: MakeApp, embedded: Backend) -> Flask:
    """Give an app on SQLite."""
    return make_app(embedded.store_url)


class BrokenIndexer(EventsIndexer):
    """A host's own processor class with a bug."""

    def index(self, events: Sequence[Any]) -> list[Outcome]:
        """Fail."""
        raise ValueError(f"a bug in the host's code, met by {len(events)} events")


def test_a_task_runs_in_the_app_whose_context_is_active(app: Flask) -> None:
    """The host's own app is used where its context is active, and reports come back as JSON."""
    with app.app_context():
        current_stats.publish("file-download", E004_EVENTS)
        processed = process_events()
        updated = update_aggregations()
    assert (processed["taken"], processed["indexed"], processed["error"]) == (10, 7, "")
    assert updated["is_complete"]
    assert updated["aggregations"]["file-download-agg"]["created"] == 3
    json.dumps([processed, updated])


def test_retention_is_a_task_of_every_day(app: Flask) -> None:
    """What has to go goes, and the report comes back as JSON."""
    pipeline_of(app).settings["STATS_GRACE_DAYS"] = 1e-9
    with app.app_context():
        current_stats.publish("file-download", [{"size": "big"}])
        process_events()
        report = apply_retention()
        assert current_stats.dead_letters.count() == 0
    assert json.loads(json.dumps(report))["dead_letters"] == {"file-download": 1}
    assert beat_schedule["stats-apply-retention"]["schedule"] == 24 * 60 * 60


def test_a_task_does_only_what_it_is_asked_for(app: Flask) -> None:
    """Lists of names choose event types and aggregations."""
    with app.app_context():
        assert list(process_events(["file-download"])["types"]) == ["file-download"]
        assert list(update_aggregations(["record-view-agg"])["aggregations"]) == ["record-view-agg"]


def test_in_a_worker_that_ends_a_task_begins_nothing(
    app: Flask, request: pytest.FixtureRequest
) -> None:
    """What was reserved is done by another worker."""
    with app.app_context():
        current_stats.publish("file-download", E004_EVENTS[:5])
        process_events()
        current_stats.publish("file-download", E004_EVENTS[5:])
        request.getfixturevalue("told_to_end")
        assert process_events()["taken"] == 0
        updated = update_aggregations()
    assert not updated["is_complete"]
    assert updated["aggregations"]["file-download-agg"]["intervals"] == 0
    assert len(updated["aggregations"]["file-download-agg"]["pending"]) == 1


def test_an_unknown_name_makes_a_task_fail(app: Flask) -> None:
    """What nobody registered is an error that Celery sees."""
    with app.app_context():
        with pytest.raises(UnknownEventType):
            process_events(["file-downloads"])
        with pytest.raises(UnknownAggregation):
            update_aggregations(["file-downloads-agg"])


@pytest.mark.usefixtures("fresh_process")
def test_without_a_context_a_task_runs_in_the_app_that_stats_app_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """STATS_APP names a factory; its app is made once and then used by each task."""
    monkeypatch.setenv("STATS_APP", "tests.celery.host:create_app")
    monkeypatch.setenv("SHOP_STATS_EVENTS", '{"record-view": {}}')
    monkeypatch.setenv("SHOP_STATS_STORE_URL", "sqlite://")
    assert list(process_events()["types"]) == ["record-view"]
    assert make_app().name == host.__name__
    assert make_app() is make_app()


@pytest.mark.usefixtures("fresh_process")
def test_without_stats_app_a_task_runs_in_the_stand_alone_app() -> None:
    """The stand-alone app is what is left."""
    types = ["access-log", "device-report", "file-download", "record-view"]
    assert sorted(process_events()["types"]) == types
    assert make_app().name == "stats_pipeline.app"


@pytest.mark.usefixtures("fresh_process")
def test_in_a_worker_a_task_without_an_app_fails_and_says_what_to_do() -> None:
    """The stand-alone app is not what the owner of another Celery app means; none is made."""
    result = process_events.apply()
    assert result.failed()
    assert isinstance(result.result, ConfigurationError)
    for way_out in ("docs/deployment.md", "STATS_APP="):
        assert way_out in str(result.result)
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.usefixtures("fresh_process")
@pytest.mark.parametrize(
    "target",
    [
        "nowhere.host:create_app",
        "tests.celery.host:create_shop",
        "tests.celery.host:file_downloaded",
        "tests.celery.host:create_app_without_statistics",
    ],
)
def test_a_wrong_stats_app_is_named(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that leads nowhere, to no factory or to an app without statistics is refused."""
    monkeypatch.setenv("STATS_APP", target)
    with pytest.raises(ConfigurationError, match=f"STATS_APP.*{target}"):
        process_events()


def test_a_type_that_fails_stops_no_other(
    make_app: MakeApp, embedded: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in a host's processor class costs its own type only; report and log name it."""
    events = {"file-download": {"processor_class": BrokenIndexer}, "record-view": {}}
    app = make_app(embedded.store_url, STATS_EVENTS=events)
    with app.app_context():
        current_stats.publish("file-download", E004_EVENTS)
        current_stats.publish("record-view", [VIEW])
        report = process_events()
    assert "a bug in the host's code" in report["types"]["file-download"]["error"]
    assert report["types"]["record-view"]["indexed"] == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    pipeline = pipeline_of(app)
    queue_name = pipeline.registries.event_type("file-download").queue_name
    assert pipeline.queue.depth(queue_name) == 1, "what failed waits"


@pytest.fixture
def slow_pipeline(
    make_pipeline: MakePipeline, embedded: Backend, monkeypatch: pytest.MonkeyPatch
) -> Pipeline:
    """Give a pipeline of two types with ten batches each, of which each takes three seconds."""
    monkeypatch.setattr(draining, "BATCH_EVENTS", 1)
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))

    def take_three_seconds(event: Event) -> Event:
        clock.advance(3)
        return event

    slow = {"processor_config": {"preprocessors": [take_three_seconds]}}
    pipeline = make_pipeline(
        embedded, clock=clock, STATS_EVENTS={"file-download": slow, "record-view": slow}
    )
    for name in ("file-download", "record-view"):
        for number in range(10):
            pipeline.publish(name, [{"event_id": str(number), "timestamp": "2025-01-01"}])
    return pipeline


def test_types_under_load_share_the_time(slow_pipeline: Pipeline) -> None:
    """The first type of a tick takes its part of the time, and leaves the rest to the others."""
    report = slow_pipeline.process_events(time_limit_seconds=12)
    assert [each.taken for each in report.types.values()] == [2, 2]


def test_a_type_whose_batches_take_all_the_time_starves_no_other(slow_pipeline: Pipeline) -> None:
    """No batch is begun after the limit, so that one type had its turn; the next is another's."""
    ticks = [slow_pipeline.process_events(time_limit_seconds=1) for _ in range(4)]
    turns = [[each.taken for each in report.types.values()] for report in ticks]
    assert sorted(turns[:2]) == sorted(turns[2:]) == [[0, 1], [1, 0]]


def test_without_time_nothing_is_begun(slow_pipeline: Pipeline) -> None:
    """Not even one batch of each type."""
    assert slow_pipeline.process_events(time_limit_seconds=0).taken == 0


def test_an_alarm_is_logged(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """Where too many events are dead, the log says so to the operator."""
    with app.app_context():
        wrong = [{"size": "big", "user_id": str(number)} for number in range(1_000)]
        current_stats.publish("file-download", wrong)
        assert process_events()["types"]["file-download"]["alarm"]
    assert "1000 of 1000 events became dead letters" in caplog.text


def test_tasks_are_called_after_their_module_as_celery_would_call_them() -> None:
    """Whoever sends or routes them by name knows it from their place; the docs say it, too."""
    celery = Celery(set_as_current=False)
    celery.finalize()
    for task in (process_events, update_aggregations, apply_retention):
        assert task.name == f"stats_pipeline.tasks.{task.__name__}"
        assert task.name in celery.tasks
        assert f"`{task.name}`" in DEPLOYMENT.read_text()


def test_ticks_can_not_pile_up() -> None:
    """A tick that nobody has begun expires before the next one comes."""
    for entry in beat_schedule.values():
        assert 0 < entry["options"]["expires"] < entry["schedule"]


def test_the_schedule_names_tasks_that_exist_and_arguments_that_they_take() -> None:
    """Beat's entries can be sent as JSON, and run."""
    celery = Celery(set_as_current=False)
    celery.finalize()
    for entry in beat_schedule.values():
        json.dumps(entry)
        celery.tasks[entry["task"]].__header__(**entry.get("kwargs", {}))
