"""Dirty marks: which hours of an event type an aggregation still has to take into account.

One record for each (event type, hour) that ever had an event. Whoever writes events overwrites the
marks of the touched hours after the write and before the acknowledgement: no aggregation is `done`
with them then, and the new token lets none of those under way finish them. What is dirty follows
from that alone; no clock decides what is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from stats_pipeline.clock import format_time
from stats_pipeline.stores.protocol import Record, State

KIND = "mark"


def touch(state: State, event_alias: str, hours: Iterable[datetime]) -> None:
    """Make these hours dirty for every aggregation; durable when it returns."""
    state.put(
        [
            Record(KIND, key_of(event_alias, hour), event_alias, hour, body={"token": uuid4().hex})
            for hour in sorted(set(hours))
        ]
    )


def dirty_hours(
    state: State,
    event_alias: str,
    name: str,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Iterator[Record]:
    """Yield the marks that `name` is not done with, oldest first."""
    return state.find(KIND, group=event_alias, lacking=name, start=start, end=end)


def key_of(event_alias: str, hour: datetime) -> str:
    """Return the key of an hour's mark."""
    return f"{event_alias}/{format_time(hour)}"


def change_tags(
    state: State, marks: Sequence[Record], change: Callable[[frozenset[str]], frozenset[str]]
) -> None:
    """Change who is done with these marks, as long as their token is the one that was read.

    A mark with another token by now is left as it is: its hour was touched again.
    """
    waiting = {mark.key: mark for mark in marks}
    while waiting:
        wanted = [replace(mark, tags=change(mark.tags)) for mark in waiting.values()]
        swapped = state.swap(wanted)
        lost = [mark.key for mark, is_done in zip(wanted, swapped, strict=True) if not is_done]
        now = [mark for mark in state.get(KIND, lost) if mark is not None] if lost else []
        waiting = {m.key: m for m in now if m.body["token"] == waiting[m.key].body["token"]}
