"""Lists of user agents: regular expressions that say which agents are robots or machines.

COUNTER's lists come with the `counter-robots` package; a host may give its own files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

Patterns = tuple[str, ...]

#: The lists, called as their files in the `counter-robots` package.
ROBOTS = "robot.txt"
MACHINES = "machine.txt"

#: Browsers on phones of Motorola, which COUNTER's patterns `motor` and `rss` (in the name of a
#: build, as S1RSS32) take for robots. The whole agent has to look like that: robots that pretend to
#: be such a phone say more, and stay robots.
KNOWN_PEOPLE: Patterns = (
    (
        r"^Mozilla/5\.0 \(Linux; (U; )?Android [\d.]+; moto[^;]*(; wv)?\) AppleWebKit/[\d.]+ "
        r"\(KHTML, like Gecko\)( Mobile| (Version|Chrome|Safari|EdgA|OPR)/[\d.]+)+$"
    ),
)


class AgentList:
    """Know which agents are meant: a pattern is found anywhere in them, in either case.

    Args:
        shipped: the list that is taken where the host has none of its own.
        own: the host's patterns.
        allowed: patterns of agents that are not meant although they are on the list.
    """

    def __init__(self, shipped: str, own: Patterns | None = None, allowed: Patterns = ()) -> None:
        self._shipped = shipped
        self._own = own
        self._allowed = allowed

    def has(self, agent: str) -> bool:
        """Tell whether this agent is meant."""
        listed, allowed = self._expressions
        return _any_found(listed, agent) and not _any_found(allowed, agent)

    @cached_property
    def _expressions(self) -> tuple[Sequence[re.Pattern[str]], Sequence[re.Pattern[str]]]:
        patterns = _shipped_patterns(self._shipped) if self._own is None else self._own
        return _compiled(patterns), _compiled(self._allowed)


@lru_cache
def agent_lists(
    robots: Patterns | None = None,
    machines: Patterns | None = None,
    robots_allowed: Patterns = KNOWN_PEOPLE,
) -> Mapping[str, AgentList]:
    """Return the lists by name; the same patterns give the same lists."""
    return {
        ROBOTS: AgentList(ROBOTS, robots, robots_allowed),
        MACHINES: AgentList(MACHINES, machines),
    }


def read_list(value: Any) -> Patterns | None:
    """Return the patterns of a file: one on each line, or COUNTER's edition where it is `.json`.

    Args:
        value: the file's path; None: there is none.

    Raises:
        ValueError: naming file and line, and what is wrong with it.
    """
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise ValueError("expected the path of a file")
    try:
        text = Path(value).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"the file can't be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{value} is not UTF-8 ({error.reason})") from None
    numbered = list(_json_entries(text, value) if value.endswith(".json") else _lines(text, value))
    if not numbered:
        raise ValueError(f"{value} holds no pattern; leave the setting out for the shipped list")
    return tuple(_checked(pattern, place) for place, pattern in numbered)


def read_allowed(value: Any) -> Patterns:
    """Return a list of patterns; raise ValueError for anything else, or naming a bad one."""
    if not isinstance(value, list | tuple):
        raise ValueError("expected a list of regular expressions")
    return tuple(_checked(pattern, f"number {n}") for n, pattern in enumerate(value, start=1))


def _lines(text: str, path: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield f"{path}, line {number}", line


def _json_entries(text: str, path: str) -> Iterator[tuple[str, Any]]:
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: no JSON ({error.msg})") from None
    if not isinstance(entries, list):
        raise ValueError(f'{path} must hold a list, as [{{"pattern": "bot"}}, ...]')
    for number, entry in enumerate(entries, start=1):
        yield f"{path}, entry {number}", entry.get("pattern") if isinstance(entry, dict) else None


def _checked(pattern: Any, place: str) -> str:
    if not isinstance(pattern, str) or not pattern:
        raise ValueError(f"{place}: expected a regular expression")
    try:
        re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"{place}: {pattern!r} is no regular expression ({error})") from None
    return pattern


def _shipped_patterns(name: str) -> Patterns:
    text = files("counter_robots").joinpath("data", name).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line.strip())


def _compiled(patterns: Patterns) -> Sequence[re.Pattern[str]]:
    # One by one, since a host's patterns may have flags or groups that don't stand being joined.
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


def _any_found(expressions: Sequence[re.Pattern[str]], agent: str) -> bool:
    return any(expression.search(agent) for expression in expressions)
