"""Tell robots and machines from people by their user agent, after the lists of COUNTER.

Which lists, and which agents are people although they are on them, the host may say
(``STATS_ROBOTS_LIST``, ``STATS_MACHINES_LIST``, ``STATS_ROBOTS_ALLOWED``).
"""

from __future__ import annotations

from functools import lru_cache

from stats_pipeline.agents import MACHINES, ROBOTS, AgentList
from stats_pipeline.events.chain import current_context
from stats_pipeline.model import Drop, Event
from stats_pipeline.registry.order import fields_of_event

#: Distinct agents whose answer is remembered: a busy site sees some thousands a day.
REMEMBERED_AGENTS = 20_000

#: Characters of an agent that are looked at, hundreds of times and in memory; none is as long.
LONGEST_AGENT = 4_096


@fields_of_event(read=["user_agent"])
def flag_robots(event: Event) -> Event:
    """Set `is_robot`: whether the agent is on the list of robots; no agent is no robot.

    Without an agent, a flag that is there stays: an imported event was flagged when it had one.
    """
    return _flagged(event, "is_robot", ROBOTS)


@fields_of_event(read=["user_agent"])
def flag_machines(event: Event) -> Event:
    """Set `is_machine`: whether the agent is on the list of machines (scripts and libraries).

    Without an agent, a flag that is there stays, as with `flag_robots`.
    """
    return _flagged(event, "is_machine", MACHINES)


@fields_of_event(read=["user_agent"])
def drop_robots(event: Event) -> Event:
    """Leave out events of robots instead of flagging them."""
    if is_listed(event.get("user_agent"), ROBOTS):
        raise Drop("robot")
    return event


@fields_of_event(read=["user_agent"])
def drop_machines(event: Event) -> Event:
    """Leave out events of machines instead of flagging them."""
    if is_listed(event.get("user_agent"), MACHINES):
        raise Drop("machine")
    return event


def is_listed(agent: object, list_name: str) -> bool:
    """Tell whether an agent is on one of the lists; anything but text is not."""
    if not isinstance(agent, str):
        return False
    return _matches(agent[:LONGEST_AGENT], current_context().agent_lists[list_name])


def _flagged(event: Event, field: str, list_name: str) -> Event:
    agent = event.get("user_agent")
    if agent is not None or event.get(field) is None:
        event[field] = is_listed(agent, list_name)
    return event


@lru_cache(maxsize=REMEMBERED_AGENTS)
def _matches(agent: str, agent_list: AgentList) -> bool:
    return agent_list.has(agent)
