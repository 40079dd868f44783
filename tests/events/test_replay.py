"""Replay: dead letters go back into their queues, and none is lost wherever that is interrupted."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import InvalidEvent, QueueUnavailable
from stats_pipeline.events import tries
from stats_pipeline.events.dead_letters import DeadLetters
from stats_pipeline.events.envelope import LARGEST_EVENT_BYTES, to_json
from stats_pipeline.events.letter import DeadLetter
from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.protocol import ItemResult, Operation
from tests.events.conftest import Thing, ThingPipeline
from tests.support import Backend, MakePipeline, stored_events

Mend = Callable[[], tuple[Pipeline, Pipeline]]

BUILD_ITEM = "stats_pipeline.events.preprocessors:build_record_unique_id"
GOOD = {"timestamp": "2016-12-18T10:00:00.000Z", "value": 1}

DAY_SECONDS = 24 * 60 * 60

#: Copies are written, letters deleted, events published, copies deleted.
STEPS = 4


@pytest.fixture
def mend(thing_pipeline: ThingPipeline) -> Mend:
    """Give a function that buries two events and returns the pipeline, and one that takes them."""

    def make() -> tuple[Pipeline, Pipeline]:
        fail: Any = {"preprocessors": [BUILD_ITEM]}
        broken = thing_pipeline(**fail)
        bury(broken, "one", "two")
        return broken, thing_pipeline()

    return make


def bury(pipeline: Pipeline, *event_ids: str) -> None:
    """Make dead letters of events with these ids."""
    pipeline.publish("thing", [{**GOOD, "event_id": event_id} for event_id in event_ids])
    assert pipeline.process_events().dead == len(event_ids)


def letters_with(
    pipeline: Pipeline,
    publish: Callable[[str, Sequence[Event]], None],
    store: Any = None,
) -> DeadLetters:
    """Return the dead letters of a pipeline, but with another way to publish, or another store."""
    return DeadLetters(
        store or pipeline.store,
        prefix=pipeline.settings["STATS_INDEX_PREFIX"],
        publish=publish,
        is_active=lambda _: True,
        clock=pipeline.clock,
    )


def test_replay_puts_all_back_into_their_queues_and_deletes_them(mend: Mend) -> None:
    """Once the cause is mended they are counted, with the time at which they first came."""
    broken, mended = mend()
    received = {letter.event["received_at"] for letter in broken.dead_letters.list()}
    assert mended.dead_letters.replay().as_dict() == {"replayed": 2, "kept": {}}
    assert mended.dead_letters.list() == []
    assert mended.process_events().indexed == 2
    assert {event["received_at"] for event in stored_events(mended, "thing")} == received
    assert mended.dead_letters.replay() == 0


def test_replay_and_purge_take_the_ids_that_they_are_given(mend: Mend) -> None:
    """Other dead letters stay."""
    broken, mended = mend()
    one, two = broken.dead_letters.list()
    assert mended.dead_letters.replay([one.id]) == 1
    assert [letter.id for letter in mended.dead_letters.list()] == [two.id]
    assert mended.dead_letters.purge([two.id]) == 1
    assert mended.dead_letters.list() == []
    assert mended.process_events().indexed == 1


def test_what_is_replayed_but_not_mended_is_a_dead_letter_again(mend: Mend) -> None:
    """Nothing is lost by trying."""
    broken, _ = mend()
    assert broken.dead_letters.replay() == 2
    assert broken.process_events().dead == 2
    assert len(broken.dead_letters.list()) == 2


def test_a_dead_letter_counts_replays_and_keeps_its_first_time(
    thing_pipeline: ThingPipeline,
) -> None:
    """Also where something else is wrong with the event the next time."""
    clock = ManualClock(datetime(2017, 1, 1, tzinfo=UTC))
    fail: Any = {"preprocessors": [BUILD_ITEM], "clock": clock}
    broken = thing_pipeline(**fail)
    bury(broken, "one")
    for number in (2, 3):
        clock.advance(60)
        broken.dead_letters.replay()
        broken.process_events()
        (letter,) = broken.dead_letters.list()
        assert (letter.tries, letter.time) == (number, "2017-01-01T00:00:00.000Z")

    def fail_otherwise(_: Event) -> Event:
        raise InvalidEvent("otherwise")

    other = thing_pipeline(preprocessors=[fail_otherwise], clock=clock)
    other.dead_letters.replay()
    assert other.process_events().dead == 1
    (letter,) = other.dead_letters.list()
    assert (letter.kind, letter.tries) == ("invalid", 4)
    assert letter.time == "2017-01-01T00:00:00.000Z"


def test_a_replayed_dead_letter_lives_no_longer_than_others(thing_pipeline: ThingPipeline) -> None:
    """It expires by its first time, with the keys of its day; what is remembered goes later."""
    clock = ManualClock(datetime(2017, 1, 1, tzinfo=UTC))
    fail: Any = {"preprocessors": [BUILD_ITEM], "clock": clock}
    broken = thing_pipeline(**fail)
    bury(broken, "one")
    clock.advance(29 * DAY_SECONDS)
    broken.dead_letters.replay()
    clock.advance(2 * DAY_SECONDS)
    assert broken.apply_retention().dead_letters == {}
    assert broken.process_events().dead == 1
    assert broken.apply_retention().dead_letters == {"thing": 1}
    assert len(list(broken.store.state.find(tries.KIND))) == 1
    clock.advance(30 * DAY_SECONDS)
    broken.apply_retention()
    assert list(broken.store.state.find(tries.KIND)) == []


def test_what_a_worker_buries_again_while_it_is_replayed_stays(mend: Mend) -> None:
    """A worker that is faster than the replay must not lose the event that it was given."""
    broken, _ = mend()

    def publish(event_type: str, events: Sequence[Event]) -> None:
        broken.publish(event_type, events)
        assert broken.process_events().dead == 2

    assert letters_with(broken, publish).replay() == 2
    assert len(broken.dead_letters.list()) == 2


def test_what_no_queue_takes_stays_as_it_was(mend: Mend) -> None:
    """An outage loses nothing and changes no id."""
    broken, _ = mend()
    before = broken.dead_letters.list()

    def refuse(_event_type: str, _events: Sequence[Event]) -> None:
        raise QueueUnavailable("no queue")

    with pytest.raises(QueueUnavailable):
        letters_with(broken, refuse).replay()
    assert broken.dead_letters.list() == before


class Killed(BaseException):
    """Stand for kill -9: no handler of errors hears of it."""


class Steps:
    """Let so many steps happen, and then kill."""

    def __init__(self, pipeline: Pipeline, allowed: int) -> None:
        self._pipeline = pipeline
        self._allowed = allowed

    def __getattr__(self, name: str) -> Any:
        """Be the pipeline's store in everything else."""
        return getattr(self._pipeline.store, name)

    def bulk(self, operations: Sequence[Operation]) -> list[ItemResult]:
        """Write or delete as one step."""
        self._step()
        return self._pipeline.store.bulk(operations)

    def publish(self, event_type: str, events: Sequence[Event]) -> None:
        """Publish as one step."""
        self._step()
        self._pipeline.publish(event_type, events)

    def _step(self) -> None:
        if not self._allowed:
            raise Killed
        self._allowed -= 1


def test_a_replay_that_is_killed_at_any_point_loses_and_doubles_nothing(mend: Mend) -> None:
    """What waits in the queue and what is still a dead letter are together all; counted once."""
    broken, mended = mend()
    expected = {"one", "two"}
    for allowed in range(STEPS):
        ids = [f"{allowed}-{number}" for number in range(3)]
        bury(broken, *ids)
        expected |= {*ids}
        steps: Any = Steps(broken, allowed)
        with pytest.raises(Killed):
            letters_with(broken, steps.publish, steps).replay()
        # The next one finds letters, copies and perhaps both, and finishes the work.
        mended.dead_letters.replay()
        assert mended.dead_letters.list() == []
        mended.process_events()
        assert [event["event_id"] for event in sorted_events(mended)] == sorted(expected)
    bury(broken, "last")
    enough: Any = Steps(broken, STEPS)
    assert letters_with(broken, enough.publish, enough).replay() == 1


def test_what_a_killed_replay_left_is_not_called_lost_when_it_expires(
    thing_pipeline: ThingPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """The event is in the queue, and counted: nobody who expires its letter can know."""
    clock = ManualClock(datetime(2017, 1, 1, tzinfo=UTC))
    fail: Any = {"preprocessors": [BUILD_ITEM], "clock": clock}
    broken = thing_pipeline(**fail)
    bury(broken, "one")
    steps: Any = Steps(broken, STEPS - 1)
    with pytest.raises(Killed):
        letters_with(broken, steps.publish, steps).replay()
    mended = thing_pipeline(clock=clock)
    assert mended.process_events().indexed == 1
    clock.advance(31 * DAY_SECONDS)
    assert mended.apply_retention().dead_letters == {"thing": 1}
    (said,) = [each.getMessage() for each in caplog.records if "LOST" in each.getMessage()]
    assert said.startswith("PERHAPS LOST: 1 dead letter of thing ")
    assert "unless a replay that was interrupted has put it there" in said


def sorted_events(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Return what is stored, by event id."""
    return sorted(stored_events(pipeline, "thing"), key=lambda event: str(event["event_id"]))


@pytest.fixture
def hopeless(
    backend: Backend, make_pipeline: MakePipeline, thing: Thing
) -> tuple[Pipeline, list[DeadLetter]]:
    """Give a pipeline that knows `thing` only, with dead letters of which one can be replayed."""
    fail = {"preprocessors": [BUILD_ITEM]}
    both = make_pipeline(backend, STATS_EVENTS={"thing": thing(**fail), "other": thing(**fail)})
    both.publish("thing", [GOOD])
    both.publish("other", [GOOD, GOOD])
    both.queue.publish(both.registries.event_type("thing").queue_name, [b"garbage"])
    assert both.process_events().dead == 4
    return make_pipeline(backend, STATS_EVENTS={"thing": thing()}), both.dead_letters.list()


def test_the_largest_event_that_is_taken_can_be_replayed(thing_pipeline: ThingPipeline) -> None:
    """Of a producer that writes UTF-8, too: the message of a replay has it in ASCII."""

    def fail(_: Event) -> Event:
        raise ValueError("not yet")

    event: Event = {**GOOD, "event_id": "one", "extra": {"text": ""}}
    event["extra"]["text"] = "\u0436" * ((LARGEST_EVENT_BYTES - len(to_json(event))) // 6)
    body = json.dumps({"events": [event]}, ensure_ascii=False).encode()
    broken = thing_pipeline(preprocessors=[fail])
    broken.queue.publish(broken.registries.event_type("thing").queue_name, [body])
    assert broken.process_events().dead == 1
    mended = thing_pipeline()
    assert mended.dead_letters.replay() == 1
    assert mended.process_events().indexed == 1
    assert [each["extra"] for each in stored_events(mended, "thing")] == [event["extra"]]


def test_a_replay_says_what_it_can_not_put_back(
    hopeless: tuple[Pipeline, list[DeadLetter]],
) -> None:
    """What was never an event would only come again; an inactive type has no queue. They stay."""
    pipeline, letters = hopeless
    report = pipeline.dead_letters.replay()
    assert report == 1
    assert report.kept == {"not an event": 1, "the event type 'other' is not active": 2}
    left = pipeline.dead_letters.list()
    assert len(left) == 3
    assert all(letter in letters for letter in left)
    assert pipeline.process_events().indexed == 1
    assert pipeline.dead_letters.purge() == 3
