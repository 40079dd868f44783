"""The sliding rule (COUNTER): a click that another one follows within the window does not count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats_pipeline.pipeline import Pipeline
from tests.aggregations.conftest import Make
from tests.aggregations.host import table, take, update
from tests.support import stored_events

SLIDING = {"double_click_rule": "sliding", "double_click_window": 30}


def click(time: str, visitor: str = "v", page: str = "a", **fields: Any) -> dict[str, Any]:
    """Return a click of a visitor on a page, at a time of 2017-01-01 or a whole timestamp."""
    timestamp = time if "T" in time else f"2017-01-01T{time}Z"
    return {
        "timestamp": timestamp,
        "event_id": f"{timestamp} {visitor} {page} {fields}",
        "visitor_id": visitor,
        "unique_id": page,
        "page": page,
        **fields,
    }


def doubles(pipeline: Pipeline) -> list[str]:
    """Return the times of day of the events that are flagged."""
    events = stored_events(pipeline, "visit")
    return [event["timestamp"][11:19] for event in events if event.get("is_double_click")]


@pytest.mark.parametrize(
    ("times", "count"),
    [
        (["10:00:09", "10:00:10"], 1),  # two fixed windows of 10 s, and yet one click
        (["10:00:10", "10:00:40"], 1),  # exactly the window is inside of it
        (["10:00:10", "10:00:40.001"], 2),
        (["10:00:00", "10:00:25", "10:00:50", "10:01:15"], 1),  # a chain; its last click counts
        (["10:00:00", "10:00:31", "10:01:02"], 3),
        (["10:00:00", "10:00:00"], 1),
    ],
)
def test_W12_a_click_counts_unless_another_follows_within_the_window(
    make: Make, times: list[str], count: int
) -> None:
    """The later click is kept, in any order of arrival, and nothing is dropped."""
    pipeline = make(**SLIDING)
    clicks = [click(time, event_id=f"e{number}") for number, time in enumerate(times)]
    take(pipeline, clicks[::-1])
    update(pipeline)
    assert table(pipeline) == {("2017-01-01", "a"): count}
    assert len(stored_events(pipeline, "visit")) == len(times)
    assert doubles(pipeline) == sorted(time[:8] for time in times)[: len(times) - count]


def test_other_visitors_pages_and_robots_are_no_double_clicks(make: Make) -> None:
    """Only clicks of one visitor on one page, both of people or both of robots, are compared."""
    pipeline = make(**SLIDING)
    take(
        pipeline,
        [
            click("10:00:00"),
            click("10:00:01", visitor="w"),
            click("10:00:02", page="b"),
            click("10:00:03", is_robot=True),
        ],
    )
    update(pipeline)
    assert table(pipeline) == {("2017-01-01", "a"): 2, ("2017-01-01", "b"): 1}
    assert doubles(pipeline) == []


def test_a_late_click_makes_an_earlier_one_of_the_day_before_a_double_click(make: Make) -> None:
    """The click after midnight arrives when both days were aggregated: yesterday's total falls."""
    pipeline = make(
        aggregations={"pages-agg": {}, "hours-agg": {"aggregation_interval": "hour"}}, **SLIDING
    )
    take(pipeline, [click("2016-12-31T23:59:50Z"), click("2016-12-31T12:00:00Z")])
    pipeline.update()
    assert table(pipeline) == {("2016-12-31", "a"): 2}
    late = click("2017-01-01T00:00:05Z")
    take(pipeline, [late])
    assert pipeline.update().is_complete
    assert table(pipeline) == {("2016-12-31", "a"): 1, ("2017-01-01", "a"): 1}
    assert sum(table(pipeline, "hours-agg").values()) == 2
    take(pipeline, [{**late, "revision": 1, "withdrawn": True}])
    pipeline.update()
    assert table(pipeline) == {("2016-12-31", "a"): 2}
    assert doubles(pipeline) == []


def test_a_redelivered_click_keeps_its_flag_and_a_correction_is_judged_anew(make: Make) -> None:
    """A repeat changes nothing; moved to another page, the second click frees the first."""
    pipeline = make(**SLIDING)
    first, second = click("10:00:00"), click("10:00:10")
    take(pipeline, [first, second])
    update(pipeline)
    take(pipeline, [first, second])
    assert update(pipeline) == {"unchanged": 1}
    assert doubles(pipeline) == ["10:00:00"]
    take(pipeline, [{**second, "page": "b", "unique_id": "b", "revision": 1}])
    assert update(pipeline) == {"created": 1, "unchanged": 1}
    assert table(pipeline) == {("2017-01-01", "a"): 1, ("2017-01-01", "b"): 1}
    assert doubles(pipeline) == []


def test_clicks_on_both_sides_of_a_change_of_salts_are_recognised(make: Make) -> None:
    """The visitor id changes at midnight; the click after it still follows the one before."""
    pipeline = make(preprocessors=["stats_pipeline.events.preprocessors:anonymize_user"], **SLIDING)
    events = [
        {"timestamp": time, "user_id": user, "page": "a", "unique_id": "a"}
        for time, user in (
            ("2016-12-31T23:59:50Z", "u1"),
            ("2017-01-01T00:00:10Z", "u1"),
            ("2017-01-01T00:00:35Z", "u1"),
            ("2016-12-31T23:59:58Z", "u2"),
            ("2017-01-01T00:00:29Z", "u2"),
            ("2016-12-31T23:59:59Z", "u3"),
        )
    ]
    take(pipeline, events)
    update(pipeline)
    assert doubles(pipeline) == ["23:59:50", "00:00:10"]
    assert table(pipeline) == {("2016-12-31", "a"): 2, ("2017-01-01", "a"): 2}
    assert all("previous_visitor_id" not in event for event in stored_events(pipeline, "visit"))


def test_events_without_an_item_have_no_window(make: Make) -> None:
    """Nobody said what was clicked, so every event counts."""
    pipeline = make(**SLIDING)
    take(
        pipeline,
        [{k: v for k, v in click(t).items() if k != "unique_id"} for t in ("10:00:00", "10:00:01")],
    )
    update(pipeline)
    assert table(pipeline) == {("2017-01-01", "a"): 2}


CLICKS = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from("vw"), st.sampled_from("ab")), max_size=14
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(CLICKS, min_size=1, max_size=3))
def test_any_order_of_batches_ends_in_what_the_rule_says(
    make: Make, batches: list[list[tuple[int, str, str]]]
) -> None:
    """However clicks around midnight arrive, with updates between, the plain rule comes out."""
    run = f"r{abs(hash(repr(batches))):x}"
    only_mine = {"query_modifiers": [lambda events: events.where("kind", [run])]}
    pipeline = make(aggregations={f"{run}-agg": only_mine}, **SLIDING)
    expected: list[tuple[datetime, str, str, str]] = []
    for number, batch in enumerate(batches):
        events = []
        for position, (second, visitor, page) in enumerate(batch):
            moment = datetime(2016, 12, 31, 23, 58, 30, tzinfo=UTC) + timedelta(seconds=second)
            event_id = f"{run}/{number}/{position}"
            # The examples share a store: their clicks are on pages of their own.
            events.append(
                click(
                    moment.isoformat(),
                    visitor,
                    page,
                    kind=run,
                    event_id=event_id,
                    unique_id=f"{run} {page}",
                )
            )
            expected.append((moment, event_id, visitor, page))
        if events:
            take(pipeline, events)
        pipeline.update([f"{run}-agg"])
    assert table(pipeline, f"{run}-agg") == _reference(expected)


def _reference(clicks: list[tuple[datetime, str, str, str]]) -> dict[tuple[str, str], int]:
    result: dict[tuple[str, str], int] = {}
    for moment, event_id, visitor, page in clicks:
        is_followed = any(
            (visitor, page) == (other_visitor, other_page)
            and (moment, event_id) < (later, other_id)
            and later - moment <= timedelta(seconds=30)
            for later, other_id, other_visitor, other_page in clicks
        )
        if not is_followed:
            key = (f"{moment:%Y-%m-%d}", page)
            result[key] = result.get(key, 0) + 1
    return result
