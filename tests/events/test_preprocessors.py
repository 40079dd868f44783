"""The chain of preprocessors: their order, and what dropping and failing in it mean."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from stats_pipeline import Drop
from stats_pipeline.clock import ManualClock
from stats_pipeline.events.preprocessors import build_file_unique_id, build_record_unique_id
from tests.events.conftest import ThingPipeline
from tests.support import stored_events

Record = dict[str, Any]


def tracing(letter: str) -> Callable[[Record], Record]:
    """Return a preprocessor that leaves its letter in `trace`."""

    def trace(event: Record) -> Record:
        return {**event, "trace": event.get("trace", "") + letter}

    return trace


def test_A004_20_B6_all_run_in_the_listed_order_on_the_result_of_the_one_before(
    thing_pipeline: ThingPipeline,
) -> None:
    """100 events pass three preprocessors; the listed ones take the place of the defaults.

    When each was taken is stored with it, as `received_at`.
    """
    chain = [tracing("a"), tracing("b"), tracing("c")]
    clock = ManualClock(datetime(2017, 1, 1, 12, 30, tzinfo=UTC))
    pipeline = thing_pipeline(preprocessors=chain, clock=clock)
    pipeline.publish("thing", [{"value": number} for number in range(100)])
    clock.advance(3_600)
    report = pipeline.process_events(["thing"])
    assert (report.taken, report.indexed) == (100, 100)
    stored = stored_events(pipeline, "thing")
    assert {event["trace"] for event in stored} == {"abc"}
    assert {event["value"] for event in stored} == set(range(100))
    assert not any("visitor_id" in event for event in stored)
    assert all(event["is_robot"] is False for event in stored)
    assert {event["received_at"] for event in stored} == {"2017-01-01T12:30:00.000Z"}


def test_A004_21_what_is_dropped_is_counted_by_reason_and_goes_no_further(
    thing_pipeline: ThingPipeline,
) -> None:
    """`Drop` with a reason and returning nothing both leave the event out, on purpose."""
    later: list[int] = []

    def leave_out(event: Record) -> Record | None:
        if event["value"] == 0:
            return None
        if event["value"] in (1, 2):
            raise Drop("internal")
        return event

    def see(event: Record) -> Record:
        later.append(event["value"])
        return event

    pipeline = thing_pipeline(preprocessors=[leave_out, see])
    pipeline.publish("thing", [{"value": number} for number in range(5)])
    report = pipeline.process_events()
    assert (report.taken, report.indexed, report.dropped, report.dead) == (5, 2, 3, 0)
    assert report.reasons == {"internal": 2, "preprocessor returned nothing": 1}
    assert {event["value"] for event in stored_events(pipeline, "thing")} == {3, 4}
    assert later == [3, 4]
    assert pipeline.dead_letters.list() == []


def test_A004_31_B9_a_failing_preprocessor_costs_its_own_event_only(
    thing_pipeline: ThingPipeline,
) -> None:
    """D23: the second of four becomes a dead letter, three are stored, the queue is empty."""

    def divide(event: Record) -> Record:
        return {**event, "value": 6 // event["value"]}

    pipeline = thing_pipeline(preprocessors=[divide])
    pipeline.publish("thing", [{"value": number} for number in (1, 0, 2, 3)])
    report = pipeline.process_events()
    assert (report.taken, report.indexed, report.dead) == (4, 3, 1)
    assert {event["value"] for event in stored_events(pipeline, "thing")} == {6, 3, 2}
    (letter,) = pipeline.dead_letters.list()
    assert (letter.kind, letter.event["value"]) == ("preprocessor", 0)
    assert "ZeroDivisionError" in letter.error
    assert pipeline.process_events().taken == 0


@pytest.mark.parametrize("result", ["text", ["list"], 5, ({"value": 1},)])
def test_a_preprocessor_that_returns_no_event_has_failed(
    embedded_pipeline: ThingPipeline, result: Any
) -> None:
    """It is at fault and not the event; the next one is not even asked."""

    def convert(event: Record) -> Any:
        return result if event["value"] else event

    def read(event: Record) -> Record:
        return {**event, "value": event["value"] + 1}

    pipeline = embedded_pipeline(preprocessors=[convert, read])
    pipeline.publish("thing", [{"value": number} for number in (0, 1)])
    report = pipeline.process_events()
    assert (report.indexed, report.dead) == (1, 1)
    (letter,) = pipeline.dead_letters.list()
    assert (letter.kind, letter.stage) == ("preprocessor", "preprocessors")
    assert f"convert returned no dict, but a {type(result).__name__}" in letter.error


def test_what_a_preprocessor_does_to_an_event_is_not_in_its_dead_letter(
    thing_pipeline: ThingPipeline,
) -> None:
    """The dead letter has the event as it was published, so that it can be replayed."""

    def spoil(event: Record) -> Record:
        event["extra"]["number"] = "spoilt"
        return {**event, "extra": "no object"}

    pipeline = thing_pipeline(preprocessors=[spoil])
    pipeline.publish("thing", [{"extra": {"number": 1}}])
    assert pipeline.process_events().dead == 1
    assert pipeline.dead_letters.list()[0].event["extra"] == {"number": 1}


def test_a_preprocessor_that_can_not_be_imported_costs_no_event(
    thing_pipeline: ThingPipeline,
) -> None:
    """That is the host's mistake: the events stay in the queue until it is mended."""
    pipeline = thing_pipeline(preprocessors=["shop.nowhere.flag"])
    pipeline.publish("thing", [{"value": 1}])
    assert "'shop.nowhere.flag' can't be imported" in pipeline.process_events().types["thing"].error
    assert pipeline.dead_letters.list() == []
    assert thing_pipeline().process_events().indexed == 1


def test_A004_26_the_item_of_a_download_is_bucket_and_file() -> None:
    """Of a record view it is type and value of the record's identifier."""
    assert build_file_unique_id({"bucket_id": 20, "file_id": "f-1"})["unique_id"] == "20_f-1"
    record = {"pid_type": "recid", "pid_value": "7"}
    assert build_record_unique_id(record)["unique_id"] == "recid_7"
