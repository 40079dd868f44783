"""Retention: what may not be kept any longer goes, and is told; the rest is not touched."""

import logging
from datetime import UTC, datetime

import pytest

from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import StoreUnavailable
from stats_pipeline.events import probes
from stats_pipeline.events.preprocessors import anonymize_user, flag_robots
from stats_pipeline.events.salts import KIND
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.protocol import Record
from tests.events.conftest import ThingPipeline
from tests.support import Backend, MakePipeline, stored_events

NOON = datetime(2018, 1, 1, 12, tzinfo=UTC)
DAY_SECONDS = 24 * 60 * 60
CLICK = {"timestamp": "2018-01-01T10:00:00Z", "user_id": "u1", "user_agent": "Firefox"}
NOTHING: dict[str, int] = {}


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands at noon."""
    return ManualClock(NOON)


@pytest.fixture
def pipeline(thing_pipeline: ThingPipeline, clock: ManualClock) -> Pipeline:
    """Give a pipeline that makes visitors anonymous."""
    return thing_pipeline(preprocessors=[flag_robots, anonymize_user], clock=clock)


def alias_of(pipeline: Pipeline) -> str:
    """Return the alias of the event type."""
    return pipeline.registries.event_type("thing").alias


def test_A004_25_events_of_a_destroyed_salt_are_too_late_and_never_keyed_again(
    pipeline: Pipeline, thing_pipeline: ThingPipeline, clock: ManualClock
) -> None:
    """They become dead letters of that kind; events of other days are counted beside them."""
    pipeline.publish("thing", [{**CLICK, "value": 1}])
    assert pipeline.process_events().indexed == 1
    clock.advance(40 * DAY_SECONDS)
    assert pipeline.apply_retention(dry_run=True).salts == {alias_of(pipeline): 1}
    report = pipeline.apply_retention()
    assert (report.salts, report.errors) == ({alias_of(pipeline): 1}, {})
    assert report.before == "2018-01-11T12:00:00.000Z"

    new = thing_pipeline(preprocessors=[flag_robots, anonymize_user], clock=clock)
    new.publish("thing", [{**CLICK, "value": 2}, {"user_id": "u1", "value": 3}])
    processed = new.process_events()
    assert (processed.indexed, processed.dead, processed.error) == (1, 1, "")
    (letter,) = new.dead_letters.list()
    assert (letter.kind, letter.stage) == ("too_late", "preprocessors")
    assert "2018-01-01T10:00:00.000Z" in letter.error
    assert letter.event["user_id"] == "u1"
    assert [event["value"] for event in stored_events(new, "thing")] == [1, 3]
    records = {record.key: record.body for record in new.store.state.find(KIND)}
    old = f"{alias_of(new)}/2018-01-01T00:00:00.000Z"
    assert records.pop(old) == {"destroyed": "2018-02-10T12:00:00.000Z"}
    assert all("key" in body for body in records.values())
    assert new.apply_retention().salts == NOTHING


def test_A004_25_a_dead_letter_may_be_mended_as_long_as_it_is_kept(
    thing_pipeline: ThingPipeline, clock: ManualClock
) -> None:
    """One setting for both: the key of its time is there until the dead letter has expired."""
    chain = [flag_robots, anonymize_user]
    broken = thing_pipeline(
        preprocessors=[*chain, "stats_pipeline.events.preprocessors:build_record_unique_id"],
        clock=clock,
        settings={"STATS_GRACE_DAYS": 3},
    )
    broken.publish("thing", [CLICK])
    assert broken.process_events().dead == 1
    clock.advance(3 * DAY_SECONDS)
    kept = broken.apply_retention()
    assert (kept.dead_letters, kept.salts) == (NOTHING, NOTHING)
    clock.advance(0.001)
    assert broken.apply_retention(dry_run=True).dead_letters == {"thing": 1}

    mended = thing_pipeline(preprocessors=chain, clock=clock)
    assert mended.dead_letters.replay() == 1
    assert mended.process_events().indexed == 1


def test_dead_letters_expire_loudly(
    pipeline: Pipeline, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that are older than the grace period, by event type; younger ones stay."""
    wrong = {"timestamp": "2017-12-01T10:00:00Z", "valuex": 1}
    for number in range(2):
        pipeline.publish("thing", [{**wrong, "event_id": f"e{number}"}])
        assert pipeline.process_events().dead == 1
        clock.advance(20 * DAY_SECONDS)
    assert pipeline.apply_retention(dry_run=True).dead_letters == {"thing": 1}
    assert pipeline.dead_letters.count() == 2
    assert caplog.text == ""
    report = pipeline.apply_retention()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("LOST: 1 dead letter of thing ")
    assert report.dead_letters == {"thing": 1}
    assert report.totals["dead_letters"] == 1
    assert [letter.event["event_id"] for letter in pipeline.dead_letters.list()] == ["e1"]
    (run,) = pipeline.runs("retention")
    assert run.done["dead_letters"] == 1


def test_spooled_messages_expire_loudly(
    distributed: Backend,
    make_pipeline: MakePipeline,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is lost silently: the report counts them, and the log says so at level ERROR."""
    pipeline = make_pipeline(distributed, clock=clock)
    spool, name = pipeline.spool, pipeline.registries.event_type("file-download").queue_name
    assert spool is not None
    spool.publish(name, [b"{}"] * 3)
    clock.advance(31 * DAY_SECONDS)
    spool.publish(name, [b'{"events": []}'])
    assert pipeline.apply_retention(dry_run=True).spooled_messages == {name: 3}
    assert caplog.text == ""
    assert pipeline.apply_retention().spooled_messages == {name: 3}
    assert spool.depth(name) == 1
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(f"LOST: 3 messages for {name} ")


def test_old_answers_to_probes_are_forgotten(pipeline: Pipeline, clock: ManualClock) -> None:
    """Those that nobody has waited for since yesterday."""
    state = pipeline.store.state
    state.put([Record(probes.KIND, "old", time=NOON)])
    clock.advance(DAY_SECONDS + 1)
    state.put([Record(probes.KIND, "new", time=clock.now())])
    pipeline.apply_retention(dry_run=True)
    assert len(list(state.find(probes.KIND))) == 2
    pipeline.apply_retention()
    assert [record.key for record in state.find(probes.KIND)] == ["new"]


def test_a_part_that_fails_is_told_and_stops_no_other(
    pipeline: Pipeline,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Salts are destroyed though the dead letters can't be read."""
    pipeline.publish("thing", [{**CLICK, "value": 1}])
    pipeline.process_events()
    clock.advance(40 * DAY_SECONDS)

    def refuse(*_: object, **__: object) -> None:
        raise StoreUnavailable("not now")

    monkeypatch.setattr(pipeline.dead_letters, "expire", refuse)
    report = pipeline.apply_retention()
    assert report.errors == {"dead_letters": "not now"}
    assert report.salts == {alias_of(pipeline): 1}
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
