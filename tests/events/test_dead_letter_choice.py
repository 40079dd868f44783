"""Which dead letters are meant: by id, by what they have in common, or all; how many there are."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import InvalidParameter, UnknownDeadLetter
from stats_pipeline.events import dead_letters
from stats_pipeline.pipeline import Pipeline
from tests.events.conftest import Thing
from tests.support import Backend, MakePipeline

BUILD_ITEM = "stats_pipeline.events.preprocessors:build_record_unique_id"
DAY_SECONDS = 24 * 60 * 60
TIME = "2016-12-18T10:00:00Z"

#: What is buried, a day after each other, from noon of 2017-01-01 on.
BURIED = [
    ("other", "invalid"),
    ("thing", "invalid"),
    ("other", "invalid"),
    ("other", "preprocessor"),
]


@pytest.fixture
def pipeline(backend: Backend, make_pipeline: MakePipeline, thing: Thing) -> Pipeline:
    """Give a pipeline with four dead letters, of two types and kinds and of four days."""
    clock = ManualClock(datetime(2017, 1, 1, 12, tzinfo=UTC))
    events = {"thing": thing(), "other": thing(preprocessors=[BUILD_ITEM])}
    pipeline = make_pipeline(backend, clock=clock, STATS_EVENTS=events)
    for number, (name, kind) in enumerate(BURIED):
        item = {} if kind == "preprocessor" else {"pid_type": "a", "pid_value": str(number)}
        pipeline.publish(name, [{"event_id": f"e{number}", "timestamp": TIME, "valuex": 1, **item}])
        assert pipeline.process_events([name]).dead == 1
        clock.advance(DAY_SECONDS)
    return pipeline


def test_dead_letters_are_listed_by_type_kind_and_time(pipeline: Pipeline) -> None:
    """Oldest first; conditions hold together; `since` is inclusive and `before` is not."""

    def found(*arguments: str, **more: str | int) -> list[str]:
        listed = pipeline.dead_letters.list(*arguments, **more)  # type: ignore[arg-type]
        conditions = {key: value for key, value in more.items() if key != "limit"}
        counted = pipeline.dead_letters.count(*arguments, **conditions)  # type: ignore[arg-type]
        assert "limit" in more or counted == len(listed)
        return [letter.event["event_id"] for letter in listed]

    assert found() == ["e0", "e1", "e2", "e3"]
    assert found(limit=2) == ["e0", "e1"]
    assert found(event_type="thing") == ["e1"]
    assert found(kind="preprocessor") == ["e3"]
    assert found("other", "invalid") == ["e0", "e2"]
    assert found("thing", "preprocessor") == []
    assert found(since="2017-01-02T12:00:00Z", before="2017-01-04T12:00:00Z") == ["e1", "e2"]
    assert found(before="2017-01-02") == ["e0"]
    assert found("other", since="2017-01-03") == ["e2", "e3"]


def test_the_summary_says_how_dead_letters_grow(pipeline: Pipeline) -> None:
    """By event type and kind, in total, of the last 24 hours, and the time of the oldest."""
    assert pipeline.dead_letters.summary().as_dict() == {
        "total": 4,
        "last_day": 1,
        "oldest": "2017-01-01T12:00:00.000Z",
        "types": {"other": {"invalid": 2, "preprocessor": 1}, "thing": {"invalid": 1}},
    }


def test_one_dead_letter_is_shown_whole(pipeline: Pipeline) -> None:
    """By its id; an unknown one is named, with what shows the known ones."""
    first = pipeline.dead_letters.list()[0]
    assert pipeline.dead_letters.show(first.id) == first
    with pytest.raises(UnknownDeadLetter, match=r"Unknown dead letter .nope.; .*dead-letters list"):
        pipeline.dead_letters.show("nope")


@pytest.mark.parametrize("action", ["replay", "purge"])
def test_unknown_ids_are_refused_before_anything_is_done(
    pipeline: Pipeline, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they are far behind known ones; a list of none is fine and means none."""
    monkeypatch.setattr(dead_letters, "BATCH", 2)
    act: Callable[..., object] = getattr(pipeline.dead_letters, action)
    before = pipeline.dead_letters.list()
    with pytest.raises(UnknownDeadLetter, match=r"'a, b, c' and 1 more") as raised:
        act([*(letter.id for letter in before), "a", "b", "c", "d"])
    assert raised.value.ids == ["a", "b", "c", "d"]
    act([])
    assert pipeline.dead_letters.list() == before


def test_replay_and_purge_take_the_same_words_as_list(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they describe goes, batch by batch, and nothing else."""
    monkeypatch.setattr(dead_letters, "BATCH", 1)
    letters = pipeline.dead_letters
    assert letters.replay(event_type="other", before="2017-01-02") == 1
    assert [letter.event["event_id"] for letter in letters.list()] == ["e1", "e2", "e3"]
    assert letters.purge(event_type="other", since="2017-01-03") == 2
    assert letters.purge([letter.id for letter in letters.list()] * 2) == 1
    assert letters.list() == []


def test_a_choice_that_can_not_be_meant_is_refused(pipeline: Pipeline) -> None:
    """Ids and words at once, a kind that does not exist, a time that is none."""
    letters = pipeline.dead_letters
    with pytest.raises(InvalidParameter, match="ids of dead letters, or what they have in common"):
        letters.purge(["x"], kind="invalid")
    with pytest.raises(InvalidParameter, match="kind 'odd': expected one of invalid,"):
        letters.purge(kind="odd")
    with pytest.raises(InvalidParameter, match="since: 'yesterday' is not an ISO 8601 time"):
        letters.list(since="yesterday")
    assert letters.count() == 4
