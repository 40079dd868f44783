"""Robots and machines are told by their agents, after COUNTER's lists, without regard to case."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline import Drop
from stats_pipeline.events.preprocessors import (
    drop_machines,
    drop_robots,
    flag_machines,
    flag_robots,
)
from stats_pipeline.events.preprocessors.flag_agents import _matches, is_listed
from tests.support import BROWSER, ROBOT

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(
    "agent",
    ["AhrefsBot/7.0", "PetalBot", "YandexBot/3.0", "MySpider/2", "GOOGLEBOT", "googlebot", ROBOT],
)
def test_A004_22_W16_robots_are_flagged_however_they_write_themselves(agent: str) -> None:
    """These are the agents that a case-sensitive match misses, and the plain ones."""
    event = {"user_agent": agent, "value": 1}
    assert flag_robots(event) == {"user_agent": agent, "value": 1, "is_robot": True}


@pytest.mark.parametrize("agent", [BROWSER, CHROME, None, 5, ["Googlebot"]])
def test_A004_22_people_and_events_without_an_agent_are_no_robots(agent: Any) -> None:
    """W16: an agent that is missing, or no text, is no reason to lose the event."""
    assert flag_robots({"user_agent": agent})["is_robot"] is False
    assert flag_robots({})["is_robot"] is False
    assert flag_machines({"user_agent": agent})["is_machine"] is False


def test_B10_one_agent_may_be_a_robot_and_a_machine() -> None:
    """Chrome is neither; googlebot is a robot; Wget is on both lists."""
    flags = {
        agent: (
            flag_robots({"user_agent": agent})["is_robot"],
            flag_machines({"user_agent": agent})["is_machine"],
        )
        for agent in (CHROME, "googlebot", "Wget/1.14")
    }
    assert flags == {
        CHROME: (False, False),
        "googlebot": (True, False),
        "Wget/1.14": (True, True),
    }


@given(st.sampled_from(["Googlebot/2.1", "Wget/1.14", "PetalBot", "curl/8.0"]), st.data())
def test_W16_upper_and_lower_case_are_one(agent: str, data: st.DataObject) -> None:
    """Any mixture of cases gives the same answer."""
    mixed = "".join(
        letter.upper() if data.draw(st.booleans()) else letter.lower() for letter in agent
    )
    assert is_listed(mixed, "robot.txt")


def test_the_answer_for_an_agent_is_remembered() -> None:
    """Thousands of patterns are tried once for each agent."""
    _matches.cache_clear()
    for _ in range(3):
        flag_robots({"user_agent": BROWSER})
    assert (_matches.cache_info().hits, _matches.cache_info().misses) == (2, 1)


def test_robots_and_machines_may_be_dropped_instead() -> None:
    """The reason says which; all others pass unchanged."""
    with pytest.raises(Drop, match="robot"):
        drop_robots({"user_agent": ROBOT})
    with pytest.raises(Drop, match="machine"):
        drop_machines({"user_agent": "Wget/1.14"})
    assert drop_robots({"user_agent": BROWSER}) == {"user_agent": BROWSER}
    assert drop_machines({"user_agent": ROBOT}) == {"user_agent": ROBOT}
