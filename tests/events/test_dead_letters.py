"""Dead letters: one for each event that can't be counted, whatever is wrong with it."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import InvalidEvent
from stats_pipeline.events.letter import DeadLetter
from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from tests.events.conftest import Thing, ThingPipeline
from tests.support import Backend, MakePipeline, stored_events

NOW = datetime(2017, 1, 1, tzinfo=UTC)
BUILD_ITEM = "stats_pipeline.events.preprocessors:build_record_unique_id"
GOOD = {"timestamp": "2016-12-18T10:00:00.000Z", "event_id": "good", "value": 1}


#: What makes GOOD wrong, and what is said about it.
INVALID: list[tuple[dict[str, Any], str]] = [
    ({"valuex": 1}, "the field 'valuex' is not in the index template .*did you mean 'value'"),
    ({"value": "many"}, r"'value' \(long\): expected a whole number, not the text 'many'"),
    ({"value": "1"}, "expected a whole number, not the text '1'"),
    ({"value": 1.5}, "expected a whole number, not 1.5$"),
    ({"extra": 5}, r"the field 'extra' \(object\): expected an object, not 5$"),
    ({"timestamp": "1989-12-31T23:59:59.999Z"}, "implausible: allowed is from 1990-01-01"),
    ({"timestamp": "2017-01-02T00:00:00.001Z"}, "implausible: .* to a day from now"),
]


@pytest.fixture
def pipeline(thing_pipeline: ThingPipeline) -> Pipeline:
    """Give a pipeline of `thing` in January 2017."""
    return thing_pipeline(clock=ManualClock(NOW))


def bury(pipeline: Pipeline, *events: dict[str, Any]) -> list[DeadLetter]:
    """Process these events, none of which can be counted, and return the dead letters."""
    pipeline.publish("thing", list(events))
    assert pipeline.process_events().dead == len(events)
    return pipeline.dead_letters.list()


def test_A004_31_D15_an_invalid_event_says_what_was_wrong_and_what_is_allowed(
    pipeline: Pipeline,
) -> None:
    """It is kept as it was published, with kind, stage, time and tries; the good one is stored."""
    pipeline.publish("thing", [GOOD, *({**GOOD, **wrong} for wrong, _ in INVALID)])
    report = pipeline.process_events()
    assert (report.indexed, report.dead) == (1, len(INVALID))
    found = {
        json.dumps(letter.event, sort_keys=True): letter for letter in pipeline.dead_letters.list()
    }
    for wrong, message in INVALID:
        event = {**GOOD, **wrong, "received_at": "2017-01-01T00:00:00.000Z"}
        letter = found.pop(json.dumps(event, sort_keys=True))
        assert re.search(message, letter.error), letter.error
        assert (letter.kind, letter.event_type, letter.tries) == ("invalid", "thing", 1)
        assert letter.time == "2017-01-01T00:00:00.000Z"
        assert letter.stage == ("envelope" if "timestamp" in wrong else "validation")
    assert found == {}


def test_the_ends_of_what_is_plausible_are_plausible(pipeline: Pipeline) -> None:
    """From STATS_EARLIEST to a day ahead, for clocks that go fast."""
    ends = ["1990-01-01T00:00:00.000Z", "2017-01-02T00:00:00.000Z"]
    pipeline.publish("thing", [{"timestamp": time} for time in ends])
    assert pipeline.process_events().indexed == 2


def test_an_event_that_lacks_what_a_preprocessor_needs_names_the_field(
    thing_pipeline: ThingPipeline,
) -> None:
    """The kind is `preprocessor`."""
    pipeline = thing_pipeline(preprocessors=[BUILD_ITEM])
    (letter,) = bury(pipeline, {})
    assert (letter.kind, letter.stage) == ("preprocessor", "preprocessors")
    assert letter.error == "lacks the field 'pid_type'"


def test_W9_what_only_the_store_refuses_is_rejected_and_costs_nothing_else(
    distributed: Backend, make_pipeline: MakePipeline, thing: Thing
) -> None:
    """Elasticsearch looks into objects: of 120 events 119 are stored, one is a dead letter."""
    pipeline = make_pipeline(distributed, STATS_EVENTS={"thing": thing()})
    bad = {"extra": {"number": "many"}}
    pipeline.publish("thing", [{"value": n, **(bad if n == 60 else {})} for n in range(120)])
    report = pipeline.process_events()
    assert (report.indexed, report.dead, report.duplicates) == (119, 1, 0)
    (letter,) = pipeline.dead_letters.list()
    assert (letter.kind, letter.stage, letter.event["value"]) == ("rejected", "store", 60)
    assert "number" in letter.error
    assert {e["value"] for e in stored_events(pipeline, "thing")} == set(range(120)) - {60}


def test_a_rejected_winner_of_a_window_leaves_its_place_to_the_next(
    distributed: Backend, make_pipeline: MakePipeline, thing: Thing
) -> None:
    """The click before it is stored, as if the rejected one had never come."""
    pipeline = make_pipeline(distributed, STATS_EVENTS={"thing": thing(double_click_window=60)})
    clicks = [
        {
            "timestamp": f"2016-12-18T10:00:0{second}Z",
            "unique_id": "x",
            "visitor_id": "v",
            "extra": {"number": second if second < 3 else "many"},
        }
        for second in (1, 2, 3, 4)
    ]
    pipeline.publish("thing", clicks)
    report = pipeline.process_events()
    assert (report.indexed, report.duplicates, report.dead) == (1, 1, 2)
    assert [e["extra"] for e in stored_events(pipeline, "thing")] == [{"number": 2}]


def test_undecodable_messages_are_kept_as_text_and_acknowledged(pipeline: Pipeline) -> None:
    """Events beside them are stored; nothing comes back for ever."""
    bodies = [b"garbage", b"\xff\xfe", b"[1]", b'{"events": 5}', b"[" * 100_000]
    pipeline.queue.publish(pipeline.registries.event_type("thing").queue_name, bodies)
    pipeline.publish("thing", [GOOD])
    report = pipeline.process_events()
    assert (report.taken, report.indexed, report.dead) == (6, 1, 5)
    letters = pipeline.dead_letters.list()
    assert {(letter.kind, letter.stage) for letter in letters} == {("undecodable", "queue")}
    expected = {body.decode("utf-8", "backslashreplace") for body in bodies}
    assert {letter.event for letter in letters} == expected
    assert pipeline.process_events().taken == 0


def test_A004_31_what_is_no_event_inside_of_a_message_is_invalid(pipeline: Pipeline) -> None:
    """Somebody else's program may write to our queues."""
    wrong = ["text", 5, None, [], {}, {"event_id": 7, "timestamp": "2016"}, {"event_id": "x"}]
    body = json.dumps({"events": [*wrong, GOOD]}).encode()
    pipeline.queue.publish(pipeline.registries.event_type("thing").queue_name, [body])
    report = pipeline.process_events()
    assert (report.indexed, report.dead) == (1, len(wrong))
    assert {letter.kind for letter in pipeline.dead_letters.list()} == {"invalid"}


@pytest.mark.parametrize("revision", [-1, 256, 32_767, "1", True])
def test_a_wrong_revision_costs_no_other_event(pipeline: Pipeline, revision: Any) -> None:
    """`publish` refuses it, but not all messages come by `publish`."""
    wrong = {**GOOD, "event_id": "wrong", "revision": revision}
    body = json.dumps({"events": [wrong, GOOD]}).encode()
    pipeline.queue.publish(pipeline.registries.event_type("thing").queue_name, [body])
    report = pipeline.process_events()
    assert (report.indexed, report.dead, report.error) == (1, 1, "")
    (letter,) = pipeline.dead_letters.list()
    assert (letter.kind, letter.stage) == ("invalid", "envelope")


class OddError(Exception):
    """An exception that can't be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error",
    [OddError(), InvalidEvent("a lone surrogate: \ud800"), ValueError("\ud800" * 3_000)],
    ids=["no text", "surrogate", "long"],
)
def test_whatever_a_preprocessor_raises_costs_no_other_event(
    thing_pipeline: ThingPipeline, error: Exception
) -> None:
    """Also an exception of which no text can be made, or one that no store takes."""

    def fail(event: Event) -> Event:
        if event["item"] == "bad":
            raise error
        return event

    pipeline = thing_pipeline(preprocessors=[fail])
    pipeline.publish("thing", [{"item": "bad"}, {"item": "good"}])
    report = pipeline.process_events()
    assert (report.indexed, report.dead, report.error) == (1, 1, "")
    (letter,) = pipeline.dead_letters.list()
    assert letter.event["item"] == "bad"
    assert 0 < len(letter.error) <= 2_000


@pytest.mark.parametrize("levels", [45, 60, 500, 900, 940, 950, 960, 980])
def test_an_event_that_is_nested_deeply_costs_no_other_event(
    pipeline: Pipeline, levels: int
) -> None:
    """Whoever published it: it is stored or a dead letter, and nothing waits behind it."""
    name = pipeline.registries.event_type("thing").queue_name
    # As text, since Python can't make all of them into JSON.
    deep = json.dumps({**GOOD, "event_id": "deep", "extra": 0})[:-2]
    deep += '{"a": ' * levels + "0" + "}" * levels + "}"
    bodies = [f'{{"events": [{event}]}}'.encode() for event in (deep, json.dumps(GOOD))]
    pipeline.queue.publish(name, bodies)
    report = pipeline.process_events()
    assert (report.taken, report.error) == (2, "")
    assert report.indexed + report.dead == 2
    assert {event["event_id"] for event in stored_events(pipeline, "thing")} >= {"good"}
    assert [letter.as_dict() for letter in pipeline.dead_letters.list()] or levels < 50


def test_one_event_makes_one_dead_letter_however_often_it_comes(pipeline: Pipeline) -> None:
    """It counts the tries, so that somebody sees that it keeps coming."""
    wrong = {**GOOD, "value": "many"}
    for _ in range(3):
        letters = bury(pipeline, wrong)
    (letter,) = letters
    assert letter.tries == 3
    assert pipeline.status()["dead_letters"] == 1


def test_dead_letters_are_kept_after_their_index_was_deleted(pipeline: Pipeline) -> None:
    """One drain says that the store refuses, the next one makes the index again."""
    bury(pipeline, {**GOOD, "value": "many"})
    pipeline.store.delete_indices(
        [f"{pipeline.settings['STATS_INDEX_PREFIX']}stats_pipeline-dead-letters-1"]
    )
    pipeline.publish("thing", [{**GOOD, "value": "many"}])
    assert "dead-letters" in pipeline.process_events().types["thing"].error
    assert pipeline.process_events().dead == 1
    assert len(pipeline.dead_letters.list()) == 1


def test_listing_before_anything_has_died_gives_nothing(pipeline: Pipeline) -> None:
    """D14: nothing there is success."""
    assert pipeline.dead_letters.list() == []
    assert pipeline.dead_letters.replay().as_dict() == {"replayed": 0, "kept": {}}
    assert pipeline.dead_letters.purge() == 0
    summary = pipeline.dead_letters.summary().as_dict()
    assert summary == {"total": 0, "last_day": 0, "oldest": None, "types": {}}
