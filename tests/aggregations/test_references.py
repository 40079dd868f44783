"""References: what something points to outlives its retention, until nothing does any more."""

import pytest

from stats_pipeline.clock import ManualClock, parse_time
from stats_pipeline.errors import InvalidParameter, TooLate, UnknownEventType
from tests.aggregations.conftest import Make
from tests.aggregations.host import take, update, visits
from tests.aggregations.test_sealing import HOUR_SECONDS, MARCH, event_indices, retain
from tests.support import stored_events

TIMES = ("2017-01-10T10:00:00.000Z", "2017-01-31T23:30:00.000Z", "2017-02-10T10:00:00.000Z")


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands at the end of February."""
    return ManualClock(parse_time("2017-02-20T12:00:00Z"))


def test_A001_41_A001_64_an_event_that_something_refers_to_is_not_deleted(
    make: Make, clock: ManualClock
) -> None:
    """Its index stays, with the reason, until all have let go; other indices go, time is sealed."""
    pipeline = make(clock=clock, retention_days=31)
    for number, time in enumerate(TIMES):
        take(pipeline, visits((time, "a"), event_id=f"e{number}"))
    update(pipeline)
    for who in ("issues/17", "issues/18"):
        for _again in range(2):
            pipeline.references.keep("visit", "e1", parse_time(TIMES[1]), by=who)
    clock.advance((parse_time("2017-04-15T12:00:00Z") - clock.now()).total_seconds())

    other = make(clock=clock, retention_days=31)
    report = retain(other, clock)
    dry = other.apply_retention(dry_run=True)
    assert (dry.kept, dry.due) == (report.kept, {})
    ((index, why),) = report.kept.items()
    assert index.endswith("-2017-01")
    assert " refers to its event e1 of 2017-01-31T23:30:00.000Z, and 1 more reference" in why
    assert event_indices(pipeline) == ["01"]
    assert [event["event_id"] for event in stored_events(pipeline, "visit")] == ["e0", "e1"]
    assert report.sealed_before == {"visit": "2017-03-01T00:00:00.000Z"}

    assert other.references.release("visit", "e1", TIMES[1], by="issues/17")
    assert not other.references.release("visit", "e1", TIMES[1], by="issues/17")
    (why,) = other.apply_retention().kept.values()
    assert why.startswith("issues/18 refers to its event e1 of ")
    assert not why.endswith("reference")
    assert other.references.release("visit", "e1", TIMES[1], by="issues/18")
    assert list(other.apply_retention().events.values()) == [2]
    assert event_indices(pipeline) == []


def test_what_may_be_gone_takes_no_new_reference(make: Make, clock: ManualClock) -> None:
    """From closing on, an hour before anything is deleted; one that is there may be repeated."""
    pipeline = make(clock=clock, retention_days=31)
    take(pipeline, visits((TIMES[0], "a"), event_id="e0"))
    update(pipeline)
    pipeline.references.keep("visit", "e0", TIMES[0], by="issues/17")
    clock.advance((MARCH - clock.now()).total_seconds())
    pipeline.apply_retention()
    with pytest.raises(TooLate, match=r"'issues/18' can't refer to .*'e0' .* closed \(retention"):
        pipeline.references.keep("visit", "e0", TIMES[0], by="issues/18")
    pipeline.references.keep("visit", "e0", TIMES[0], by="issues/17")
    clock.advance(HOUR_SECONDS)
    assert not pipeline.apply_retention().events


def test_references_are_listed_and_known_by_event_and_by_who_refers(make: Make) -> None:
    """An event need not be stored; one with another time is another event."""
    references = make().references
    assert references.list() == []
    for time in TIMES:
        references.keep("visit", "e1", time, by="issues/17")
    assert [(each.timestamp, each.by) for each in references.list("visit")] == [
        (time, "issues/17") for time in TIMES
    ]
    assert not references.release("visit", "e1", TIMES[0], by="issues/18")
    assert references.release("visit", "e1", "2017-01-10T11:00:00.0001+01:00", by="issues/17")
    assert [each.as_dict()["timestamp"] for each in references.list()] == list(TIMES[1:])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"event_id": ""}, "event_id is text of 1 to 200 characters, not ''"),
        ({"event_id": 5}, "event_id is text"),
        ({"by": "x" * 201}, "by is text of 1 to 200"),
        ({"timestamp": "yesterday"}, "timestamp: 'yesterday' is not an ISO 8601 time"),
        ({"event_type": "visits"}, "did you mean 'visit'"),
    ],
)
def test_what_can_be_no_reference_is_refused(
    make: Make, wrong: dict[str, object], message: str
) -> None:
    """Nothing is kept by accident, and nothing is thought to be kept."""
    references = make().references
    right = {"event_type": "visit", "event_id": "e1", "timestamp": TIMES[0], "by": "issues/17"}
    with pytest.raises((InvalidParameter, UnknownEventType), match=message):
        references.keep(**{**right, **wrong})  # type: ignore[arg-type]
    assert references.list() == []
