"""The traffic is made up, but the same each time, and has what there is to be left out."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.demo.expected import count
from stats_pipeline.demo.host import Record, catalogue
from stats_pipeline.demo.traffic import (
    DOWNLOAD,
    MONTH_DAYS,
    MONTH_START,
    VIEW,
    Click,
    Traffic,
    Visitor,
    make_traffic,
)
from stats_pipeline.events.preprocessors import flag_robots

PERSON = Visitor("198.18.0.1", "Firefox", user_id=None, is_robot=False)
ROBOT = Visitor("198.19.0.1", "Googlebot", user_id=None, is_robot=True)


@given(events=st.integers(100, 1_000), seed=st.integers(0, 1_000))
def test_exactly_as_many_events_as_asked_for_lie_in_the_month(events: int, seed: int) -> None:
    """Each click has an id of its own, and what is redelivered is among the clicks."""
    traffic = make_traffic(events, seed=seed)
    assert len(traffic.clicks) + len(traffic.redelivered) == events
    assert len({click.event_id for click in traffic.clicks}) == len(traffic.clicks)
    assert {click.event_id for click in traffic.redelivered} <= {
        click.event_id for click in traffic.clicks
    }
    end = MONTH_START + timedelta(days=MONTH_DAYS)
    assert all(MONTH_START <= click.at < end for click in traffic.clicks)


def test_one_seed_means_one_traffic() -> None:
    """The same seed gives the same month, another one gives another."""
    assert make_traffic(500, seed=7) == make_traffic(500, seed=7)
    assert make_traffic(500, seed=7) != make_traffic(500, seed=8)


def test_robots_of_the_traffic_are_those_of_the_counter_list() -> None:
    """Who is said to be a robot has an agent that is on the list, and nobody else has."""
    visitors = {click.visitor for click in make_traffic(3_000, seed=1).clicks}
    assert {visitor.is_robot for visitor in visitors} == {True, False}
    for visitor in visitors:
        assert flag_robots({"user_agent": visitor.agent})["is_robot"] is visitor.is_robot


def test_all_reasons_for_not_counting_occur() -> None:
    """Even a small month has redeliveries, repeat clicks and robots of both kinds of events."""
    traffic = make_traffic(1_000, seed=1)
    for kind in (DOWNLOAD, VIEW):
        numbers = count(traffic, kind)
        assert min(numbers.redelivered, numbers.merged, numbers.robots, numbers.counted) > 0


def test_plain_python_counts_a_month_that_fits_on_one_hand() -> None:
    """Of six events one comes again, one repeats a click, one is a robot's, and three count."""
    one, other = catalogue()[:2]
    clicks = [
        _click("a", 0, PERSON, one),
        _click("b", 9.9, PERSON, one),  # the window of `a`
        _click("c", 10, PERSON, one),
        _click("d", 5, PERSON, other),
        _click("e", 5, ROBOT, one),
    ]
    numbers = count(Traffic(clicks, clicks[:1]), DOWNLOAD)
    assert numbers.sent == 6
    assert (numbers.redelivered, numbers.merged, numbers.robots) == (1, 1, 1)
    assert numbers.per_day == {"2025-06-01": 3}
    assert numbers.per_item == {"report-0001.pdf": 2, "report-0002.pdf": 1}


def _click(event_id: str, seconds: float, visitor: Visitor, record: Record) -> Click:
    return Click(DOWNLOAD, event_id, MONTH_START + timedelta(seconds=seconds), visitor, record)
