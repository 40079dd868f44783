"""Double clicks: which events of a fixed window are one, and which of them is kept."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats_pipeline.events.preprocessors import anonymize_user, flag_robots
from stats_pipeline.intervals import slot_of
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores import marks
from tests.events.conftest import ThingPipeline
from tests.support import (
    BROWSER,
    E004_EVENTS,
    Backend,
    MakePipeline,
    stored_documents,
    stored_events,
)

Make = Callable[..., Pipeline]

#: Each example has a prefix of its own, so the fixtures need not be made anew.
EXAMPLES = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SECOND = timedelta(seconds=1)
NOON = datetime(2016, 12, 18, 12, tzinfo=UTC)

clicks = st.builds(
    lambda second, user, file_id: {
        "timestamp": (NOON + second * SECOND).isoformat(),
        "user_id": user,
        "bucket_id": "20",
        "file_id": file_id,
    },
    st.integers(min_value=-65, max_value=65),
    st.sampled_from(["u1", "u2"]),
    st.sampled_from(["f-1", "f-2"]),
)


def at(time: str, **more: Any) -> dict[str, Any]:
    """Return a download of one user at this time."""
    event = {"user_id": "u1", "bucket_id": "20", "file_id": "f-1", "user_agent": BROWSER}
    return {**event, "timestamp": f"2016-12-{time}", **more}


@pytest.fixture
def make(backend: Backend, make_pipeline: MakePipeline, index_prefix: str) -> Make:
    """Give a function that makes a pipeline of downloads with this window, each with own data."""
    return _maker(backend, make_pipeline, index_prefix)


@pytest.fixture
def make_embedded(embedded: Backend, make_pipeline: MakePipeline, index_prefix: str) -> Make:
    """Give the same without servers, for laws that need many examples."""
    return _maker(embedded, make_pipeline, index_prefix)


def _maker(backend: Backend, make_pipeline: MakePipeline, index_prefix: str) -> Make:
    numbers = count()

    def make(window: int = 10, *types: str) -> Pipeline:
        config = {"processor_config": {"double_click_window": window}}
        return make_pipeline(
            backend,
            STATS_EVENTS=dict.fromkeys(types or ("file-download",), config),
            STATS_INDEX_PREFIX=f"{index_prefix}{next(numbers)}-",
        )

    return make


def processed(pipeline: Pipeline, *events: dict[str, Any]) -> list[str]:
    """Process each event on its own and return the times of those that are stored."""
    for event in events:
        pipeline.publish("file-download", [event])
        pipeline.process_events()
    return [event["timestamp"][8:-1] for event in stored_events(pipeline)]


@EXAMPLES
@given(order=st.permutations(E004_EVENTS), cuts=st.sets(st.integers(1, 9)))
def test_A004_27_29_E004_makes_seven_documents_in_any_order_of_arrival(
    make_embedded: Make, order: list[dict[str, Any]], cuts: set[int]
) -> None:
    """D21: the latest of a window is kept, however the events are ordered and cut into batches."""
    assert_e004(make_embedded(), order, cuts)


@pytest.mark.parametrize("cuts", [{1, 2, 5}, {4, 9}])
@pytest.mark.parametrize("step", [1, -1])
def test_A004_27_29_E004_makes_seven_documents_on_both_stores(
    make: Make, step: int, cuts: set[int]
) -> None:
    """Forwards and backwards, in several batches."""
    assert_e004(make(), E004_EVENTS[::step], cuts)


def assert_e004(pipeline: Pipeline, order: list[dict[str, Any]], cuts: set[int]) -> None:
    """Process the events in this order, cut into batches, and check what is stored."""
    for start, end in pairwise([0, *sorted(cuts), len(order)]):
        pipeline.publish("file-download", order[start:end])
        pipeline.process_events()
    documents = stored_documents(pipeline)
    kept = {document.body["event_id"] for document in documents}
    assert len(documents) == 7
    assert kept == {"e2", "e3", "e4", "e5", "e6", "e7", "e9"}
    assert [d.body["event_id"] for d in documents if d.body["is_robot"]] == ["e6"]


@pytest.mark.parametrize(("window", "documents"), [(0, 9), (10, 7), (30, 6), (60, 6)])
def test_A004_29_E004_makes_as_many_documents_as_the_window_says(
    make: Make, window: int, documents: int
) -> None:
    """D18: a window of 0 is off, so that only the redelivery of e4 is no document of its own."""
    pipeline = make(window)
    pipeline.publish("file-download", E004_EVENTS)
    report = pipeline.process_events()
    assert (report.taken, report.indexed) == (10, documents)
    assert report.duplicates == 10 - documents
    assert len(stored_events(pipeline)) == documents


@EXAMPLES
@given(events=st.lists(clicks, min_size=1, max_size=25), window=st.sampled_from([5, 10, 60]))
def test_A004_28_29_one_document_for_each_window_visitor_and_item(
    make_embedded: Make, events: list[dict[str, Any]], window: int
) -> None:
    """Other users and other files never merge; within a slot the latest is kept."""
    pipeline = make_embedded(window)
    pipeline.publish("file-download", events)
    pipeline.process_events()
    latest: dict[tuple[Any, ...], datetime] = {}
    for event in events:
        moment = datetime.fromisoformat(event["timestamp"])
        key = (slot_of(moment, window).start, event["user_id"], event["file_id"])
        latest[key] = max(moment, latest.get(key, moment))
    stored = [datetime.fromisoformat(event["timestamp"]) for event in stored_events(pipeline)]
    assert stored == sorted(latest.values())


def test_A004_28_events_of_two_types_are_never_one(make: Make) -> None:
    """Although visitor, item and second are the same."""
    pipeline = make(10, "file-download", "record-view")
    view = at("18T10:00:00", pid_type="20", pid_value="f-1")
    del view["bucket_id"], view["file_id"]
    pipeline.publish("file-download", [at("18T10:00:00")])
    pipeline.publish("record-view", [view])
    assert pipeline.process_events().indexed == 2
    assert [e["unique_id"] for e in stored_events(pipeline, "record-view")] == ["20_f-1"]


def test_B7_three_windows_of_three_minutes(make: Make) -> None:
    """5 downloads on two days are 3."""
    times = ["01T00:11:03", "01T00:09:01", "02T00:12:10", "02T00:13:03", "02T00:30:03"]
    stored = processed(make(180), *(at(time) for time in times))
    assert stored == ["01T00:11:03.000", "02T00:13:03.000", "02T00:30:03.000"]


def test_B8_the_default_window_is_ten_seconds(
    backend: Backend, make_pipeline: MakePipeline
) -> None:
    """10, 11 and 19 seconds are one, 22 is another; 30, within ten seconds of it, is a third.

    The peer has no third one, without which windows of 20 seconds would give its numbers, too.
    """
    times = ["01T10:00:10", "01T10:00:11", "01T10:00:19", "01T10:00:22", "01T10:00:30"]
    stored = processed(make_pipeline(backend), *map(at, times))
    assert stored == ["01T10:00:19.000", "01T10:00:22.000", "01T10:00:30.000"]


def test_T004_03_04_windows_are_fixed_and_end_at_midnight(make: Make) -> None:
    """09.9 and 10.0 s are two (D6), and so are the seconds before and after midnight."""
    times = ["18T10:00:09.900", "18T10:00:10.000", "18T23:59:59.999", "19T00:00:00.000"]
    assert processed(make(), *map(at, times)) == times


def test_T004_05_W13_windows_are_cut_in_utc_whatever_the_offset(make: Make) -> None:
    """The two halves of a repeated local hour are two, one instant in two zones is one."""
    times = ["18T01:30:00+02:00", "18T01:30:00+01:00", "18T00:30:00Z"]
    assert processed(make(), *map(at, times)) == ["17T23:30:00.000", "18T00:30:00.000"]


def test_a_tie_ends_alike_in_any_order(make: Make) -> None:
    """Logs have whole seconds: of two clicks in one the same is kept, whoever comes first."""
    one, two = (at("18T10:00:00", event_id=name) for name in ("one", "two"))
    kept = set()
    for order in ([one, two], [two, one]):
        pipeline = make()
        processed(pipeline, *order)
        kept |= {event["event_id"] for event in stored_events(pipeline)}
    assert len(kept) == 1


def test_a_window_of_two_hours_marks_every_hour_that_it_covers(make: Make) -> None:
    """A later click moves the kept one to another hour, so both have to be counted again."""
    pipeline = make(7_200)
    assert processed(pipeline, at("18T10:10:00"), at("18T11:50:00")) == ["18T11:50:00.000"]
    alias = pipeline.registries.event_type("file-download").alias
    found = pipeline.store.state.find(marks.KIND, group=alias)
    assert [mark.time for mark in found] == [NOON.replace(hour=hour) for hour in (10, 11)]


def test_W17_an_event_type_without_items_has_no_window(thing_pipeline: ThingPipeline) -> None:
    """The default preprocessors make no `unique_id`: then each event is a document of its own."""
    pipeline = thing_pipeline(preprocessors=[flag_robots, anonymize_user])
    pipeline.publish("thing", [{"timestamp": "2016-12-18", "user_id": "u1"}] * 3)
    assert pipeline.process_events().indexed == 3
