"""Totals heal: late, corrected and withdrawn events change rows that were aggregated already."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats_pipeline.model import Filter
from stats_pipeline.stores.protocol import Delete, Put
from tests.aggregations.conftest import Make
from tests.aggregations.host import counts, rows, table, take, update, visits


def test_A004_44_running_again_changes_nothing(make: Make) -> None:
    """A second run finds nothing dirty; a repeated delivery makes it look, and write nothing."""
    pipeline = make()
    events = [
        {"timestamp": "2017-01-01T10:00:00Z", "page": "a", "event_id": "e1"},
        {"timestamp": "2017-01-02T10:00:00Z", "page": "b", "event_id": "e2"},
    ]
    take(pipeline, events)
    assert update(pipeline) == {"created": 2}
    assert update(pipeline) == {}
    take(pipeline, events[:1])
    assert update(pipeline) == {"unchanged": 1}
    assert table(pipeline) == {("2017-01-01", "a"): 1, ("2017-01-02", "b"): 1}


def test_A004_46_W1_a_late_event_changes_the_day_that_was_aggregated(make: Make) -> None:
    """Two events on a day, aggregated; two more of that day later: the next run says four.

    A day that comes with them, and had no event before, is counted as well.
    """
    pipeline = make()
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a"), ("2017-01-01T11:00:00Z", "a")))
    take(pipeline, visits(("2017-01-05T10:00:00Z", "a")))
    update(pipeline)
    late = ["2017-01-01T09:00:00Z", "2017-01-01T10:30:00Z", "2017-01-03T12:00:00Z"]
    take(pipeline, visits(*[(time, "a") for time in late]))
    assert update(pipeline) == {"updated": 1, "created": 1}
    expected = {"2017-01-01": 4, "2017-01-03": 1, "2017-01-05": 1}
    assert table(pipeline) == {(day, "a"): count for day, count in expected.items()}


def test_A004_46_a_later_click_of_a_window_changes_the_hour_of_the_one_before_it(
    make: Make,
) -> None:
    """Both were aggregated one after the other: the hour of the click that is gone is empty."""
    hourly = {"pages-agg": {"aggregation_interval": "hour"}}
    pipeline = make(aggregations=hourly, double_click_window=7_200)
    who = {"unique_id": "a", "visitor_id": "v"}
    take(pipeline, visits(("2017-01-01T10:10:00Z", "a"), **who))
    assert update(pipeline) == {"created": 1}
    take(pipeline, visits(("2017-01-01T11:50:00Z", "a"), **who))
    assert update(pipeline) == {"created": 1, "deleted": 1}
    assert table(pipeline) == {("2017-01-01T11:00", "a"): 1}


def test_a_correction_moves_an_event_and_an_empty_row_vanishes(make: Make) -> None:
    """A higher revision of an event changes its page; the row it was alone in is deleted."""
    pipeline = make()
    event: dict[str, Any] = {"timestamp": "2017-01-01T10:00:00Z", "event_id": "e1", "page": "a"}
    take(pipeline, [event])
    update(pipeline)
    take(pipeline, [{**event, "page": "b", "revision": 1}])
    take(pipeline, [event])
    assert update(pipeline) == {"created": 1, "deleted": 1}
    assert table(pipeline) == {("2017-01-01", "b"): 1}


def test_a_withdrawn_event_no_longer_counts(make: Make) -> None:
    """Totals go down when an event is withdrawn."""
    pipeline = make()
    event: dict[str, Any] = {"timestamp": "2017-01-01T10:00:00Z", "event_id": "e1", "page": "a"}
    take(pipeline, [event, {**event, "event_id": "e2"}])
    update(pipeline)
    take(pipeline, [{**event, "revision": 1, "withdrawn": True}])
    assert update(pipeline) == {"updated": 1}
    assert table(pipeline) == {("2017-01-01", "a"): 1}


def test_an_aggregation_that_is_registered_later_counts_what_was_there_before(make: Make) -> None:
    """The first build of a new aggregation is an update like any other."""
    first = make()
    take(first, visits(("2017-01-01T10:00:00Z", "a"), ("2017-01-03T10:00:00Z", "a")))
    update(first)
    second = make(aggregations={"pages-agg": {}, "new-agg": {}})
    assert update(second) == {}
    assert update(second, "new-agg") == {"created": 2}


def test_reset_of_everything_builds_anew_and_takes_over_nothing_wrong(make: Make) -> None:
    """A wrong number, a row without events and a missing row are all right after a reset."""
    pipeline = make()
    take(pipeline, visits(*[("2016-12-01T10:00:00Z", "a")] * 5))
    take(pipeline, visits(("2017-01-02T10:00:00Z", "b"), ("2017-01-02T11:00:00Z", "b")))
    update(pipeline)
    before = rows(pipeline)
    _spoil(pipeline)
    assert rows(pipeline) != before
    report = pipeline.reset(["pages-agg"])
    assert report.is_complete
    assert rows(pipeline) == before
    assert update(pipeline) == {}
    take(pipeline, visits(("2016-12-01T10:00:00Z", "a"), ("2017-01-11T10:00:00Z", "c")))
    assert update(pipeline) == {"updated": 1, "created": 1}
    assert sum(table(pipeline).values()) == 9
    assert pipeline.reset().is_complete
    assert sum(table(pipeline).values()) == 9


def test_A004_49_reset_of_a_range_mends_that_range_only(make: Make) -> None:
    """Rows outside the range stay as they are, also where they are wrong (D23)."""
    pipeline = make()
    take(pipeline, visits(*[("2017-01-01T10:00:00Z", "a")] * 5, ("2017-01-09T10:00:00Z", "b")))
    update(pipeline)
    _spoil(pipeline)
    report = pipeline.reset(["pages-agg"], start="2017-01-01", end="2017-01-02")
    assert counts(report.aggregations["pages-agg"].as_dict()) == {"updated": 1, "deleted": 3}
    assert table(pipeline) == {("2017-01-01", "a"): 5}
    report = pipeline.reset(["pages-agg"], start="2017-01-09")
    assert table(pipeline) == {("2017-01-01", "a"): 5, ("2017-01-09", "b"): 1}


def test_an_update_of_a_range_leaves_the_rest_dirty(make: Make) -> None:
    """Only days that the range touches are recomputed; the next update does the others."""
    pipeline = make()
    take(pipeline, visits(*[(f"2017-01-0{day}T10:00:00Z", "a") for day in range(1, 6)]))
    assert update(pipeline, start="2017-01-02", end="2017-01-03") == {"created": 2}
    assert sorted(start for start, _ in table(pipeline)) == ["2017-01-02", "2017-01-03"]
    assert update(pipeline) == {"created": 3}


def test_W7_an_update_up_to_a_day_in_the_future_freezes_nothing(make: Make) -> None:
    """After an update up to next year, events of today still count, and it is not all of time."""
    pipeline = make()
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))
    update(pipeline, end="2018-01-01")
    assert pipeline.updating(pipeline.registries.aggregation("pages-agg")).as_of() is None
    take(pipeline, visits(("2017-01-20T10:00:00Z", "a"), ("2017-01-01T10:00:00Z", "a")))
    assert update(pipeline) == {"created": 1, "updated": 1}


def test_B16_without_events_that_count_there_is_no_row_no_index_and_no_error(make: Make) -> None:
    """An update before the first event does nothing, and one of robots only creates nothing."""
    pipeline = make()
    alias = pipeline.registries.aggregation("pages-agg").alias
    assert update(pipeline) == {}
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a"), is_robot=True))
    report = pipeline.update(["pages-agg"]).aggregations["pages-agg"]
    assert (report.is_complete, report.intervals, counts(report.as_dict())) == (True, 1, {})
    assert pipeline.store.index_uuids([f"{alias}-2017-01"]) == {}
    assert rows(pipeline) == []


def test_an_index_that_was_deleted_by_hand_never_empties_rows(make: Make) -> None:
    """Its intervals fail, saying what to do; the rows stay; other intervals go on."""
    pipeline = make()
    take(pipeline, visits(("2016-12-31T10:00:00Z", "a"), ("2017-01-01T10:00:00Z", "a")))
    update(pipeline)
    events_alias = pipeline.registries.event_type("visit").alias
    take(pipeline, visits(("2016-12-31T11:00:00Z", "a"), ("2017-01-01T11:00:00Z", "a")))
    pipeline.store.delete_indices([f"{events_alias}-2016-12"])
    report = pipeline.update(["pages-agg"]).aggregations["pages-agg"]
    assert "visit-2016-12 is gone" in report.error
    assert report.pending == ("2016-12-31T00:00:00.000Z",)
    assert table(pipeline) == {("2016-12-31", "a"): 1, ("2017-01-01", "a"): 2}
    pipeline.publish("visit", visits(("2016-12-31T12:00:00Z", "a")))
    assert make().process_events(["visit"]).types["visit"].error


def test_a_failing_aggregation_does_not_stop_the_others(make: Make) -> None:
    """A copied field's function raises: its aggregation reports that, the others are complete."""
    bad = {"copy_fields": {"label": lambda event: event["nope"]}}
    pipeline = make(aggregations={"a-agg": bad, "b-agg": {}})
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))
    report = pipeline.update()
    assert "KeyError('nope')" in report.aggregations["a-agg"].error
    assert report.aggregations["b-agg"].is_complete
    assert table(pipeline, "b-agg") == {("2017-01-01", "a"): 1}


def test_another_interval_for_the_same_rows_is_refused_with_the_way_out(make: Make) -> None:
    """What is recorded at first use can't change by an update, but by a reset."""
    pipeline = make()
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))
    update(pipeline)
    changed = make(aggregations={"pages-agg": {"aggregation_interval": "hour"}})
    report = changed.update(["pages-agg"]).aggregations["pages-agg"]
    assert "stats reset pages-agg" in report.error
    assert changed.reset(["pages-agg"]).is_complete
    assert table(changed) == {("2017-01-01T10:00", "a"): 1}
    assert changed.update(["pages-agg"]).is_complete


PAGES = st.sampled_from(["a", "b", "ü", "Z"])
HOURS = st.integers(min_value=0, max_value=24 * 5)
EVENTS = st.lists(st.tuples(HOURS, PAGES), max_size=12)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(EVENTS, min_size=1, max_size=4), again=st.integers(0, 3))
def test_any_history_of_batches_and_updates_ends_in_the_same_rows(
    make: Make, zone: str, batches: list[list[tuple[int, str]]], again: int
) -> None:
    """Updates between batches, repeated batches and a final reset all give the plain count."""
    name = f"h{abs(hash((zone, repr(batches), again))):x}-agg"
    config = {
        "time_zone": zone,
        # The examples share one store: each counts its own events only.
        "query_modifiers": [lambda events: events.where("kind", [name])],
    }
    pipeline = make(aggregations={name: config})
    history = [
        [
            {
                "event_id": f"{name}/{number}/{position}",
                "timestamp": _moment(hours),
                "page": page,
                "kind": name,
            }
            for position, (hours, page) in enumerate(batch)
        ]
        for number, batch in enumerate(batches)
    ]
    for events in [*history, history[again % len(history)]]:
        if events:
            take(pipeline, events)
        update(pipeline, name)
    assert table(pipeline, name) == _reference(history, zone)
    assert pipeline.reset([name]).is_complete
    assert table(pipeline, name) == _reference(history, zone)


def _moment(hours: int) -> datetime:
    return datetime(2016, 12, 1, 0, 45, tzinfo=UTC) + timedelta(hours=hours)


def _reference(history: list[list[dict[str, Any]]], zone: str) -> dict[Any, int]:
    offset = timedelta(hours=5.5) if zone == "Asia/Kolkata" else timedelta()
    expected: dict[Any, int] = {}
    for event in (event for events in history for event in events):
        day = (event["timestamp"] + offset).replace(hour=0, minute=0) - offset
        start = f"{day:%Y-%m-%dT%H:%M}".removesuffix("T00:00")
        key = (start, event["page"])
        expected[key] = expected.get(key, 0) + 1
    return expected


def _spoil(pipeline: Any) -> None:
    """Set a wrong count, add a row that no event has, and delete a row."""
    alias = pipeline.registries.aggregation("pages-agg").alias
    with pipeline.store.snapshot([alias]) as snapshot:
        found = list(snapshot.scan(Filter(), ["timestamp", "page"]))
    first, last = found[0], found[-1]
    orphan = {**first.body, "page": "nobody", "timestamp": "2017-01-02T00:00:00.000Z"}
    pipeline.store.bulk(
        [
            Put(first.index, first.id, {**first.body, "count": 4}),
            Put(first.index, "by-hand", orphan),
            Put(first.index, "0-second", {**first.body, "count": 7}),
            Put(first.index, "0-without-page", {k: first.body[k] for k in ("timestamp", "count")}),
            Delete(last.index, last.id),
        ]
    )
    pipeline.store.refresh([alias])
