"""Tell robots and machines from people by their user agent, after the lists of COUNTER.

The patterns are matched anywhere in the agent and without regard to case, as the lists mean them.
The `counter-robots` package carries them; its own functions match case-sensitively.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from stats_pipeline.model import Drop, Event

#: Distinct agents whose answer is remembered: a busy site sees some thousands a day.
REMEMBERED_AGENTS = 20_000


def flag_robots(event: Event) -> Event:
    """Set `is_robot`: whether the agent is on COUNTER's list of robots; no agent is no robot."""
    event["is_robot"] = is_listed(event.get("user_agent"), "robot.txt")
    return event


def flag_machines(event: Event) -> Event:
    """Set `is_machine`: whether the agent is on the list of machines (scripts and libraries)."""
    event["is_machine"] = is_listed(event.get("user_agent"), "machine.txt")
    return event


def drop_robots(event: Event) -> Event:
    """Leave out events of robots instead of flagging them."""
    if is_listed(event.get("user_agent"), "robot.txt"):
        raise Drop("robot")
    return event


def drop_machines(event: Event) -> Event:
    """Leave out events of machines instead of flagging them."""
    if is_listed(event.get("user_agent"), "machine.txt"):
        raise Drop("machine")
    return event


def is_listed(agent: object, list_name: str) -> bool:
    """Tell whether an agent is on one of the lists; anything but text is not."""
    return isinstance(agent, str) and _matches(agent, list_name)


@lru_cache(maxsize=REMEMBERED_AGENTS)
def _matches(agent: str, list_name: str) -> bool:
    return _pattern(list_name).search(agent) is not None


@lru_cache
def _pattern(list_name: str) -> re.Pattern[str]:
    text = files("counter_robots").joinpath("data", list_name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip()]
    return re.compile("|".join(f"(?:{line})" for line in lines), re.IGNORECASE)
