"""Everything that may happen in a world, as rules that Hypothesis puts together to stories."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    multiple,
    precondition,
    rule,
)

from stats_pipeline.clock import parse_time
from stats_pipeline.model import Event
from tests.faults.crashing import CRASHES
from tests.faults.world import POISON, WORKS, Fault, World

#: Around the ends of hours, days, months and indices, so that windows reach over all of them.
MOMENTS = [
    parse_time(f"{text}Z")
    for text in (
        "2016-12-31T23:59:45",
        "2016-12-31T23:59:55",
        "2017-01-01T00:00:04",
        "2017-01-01T18:29:58",
        "2017-01-01T18:30:05",
        "2017-01-02T10:00:00",
    )
]

WHO = st.fixed_dictionaries(
    {
        "visitor_id": st.sampled_from(["v", "w"]),
        "unique_id": st.sampled_from(["i", "j"]),
        "timestamp": st.sampled_from(MOMENTS),
    }
)
WHAT = st.fixed_dictionaries(
    {
        "page": st.sampled_from("ab"),
        "size": st.sampled_from([1, 10, 100]),
        "is_robot": st.sampled_from([False, False, False, True]),
    }
)
CALLS = st.sampled_from(range(1, 50))
FAULTS = st.one_of(
    st.none(),
    st.builds(Fault, CALLS, crash=st.sampled_from(sorted(CRASHES))),
    st.builds(
        Fault,
        CALLS,
        meanwhile=st.lists(st.sampled_from(sorted(WORKS)), min_size=1, max_size=4).map(tuple),
    ),
)


class Machine(RuleBasedStateMachine):
    """Send, deliver, correct, crash and aggregate; at rest all numbers are those of the reference.

    Args:
        opened: gives the world.
    """

    events = Bundle("events")

    def __init__(self, opened: AbstractContextManager[World]) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.world = self._stack.enter_context(opened)

    # What hosts do

    @rule(target=events, who=WHO, what=WHAT)
    def emit(self, who: Mapping[str, Any], what: Mapping[str, Any]) -> Event:
        """Send an event."""
        return self.world.send_new({**who, **what})

    @rule(target=events, who=WHO, seconds=st.integers(1, 12), what=WHAT)
    def emit_clicks(
        self, who: Mapping[str, Any], seconds: int, what: Mapping[str, Any]
    ) -> MultipleResults[Event]:
        """Send three clicks of one visitor on one item, the last one first."""
        times = [who["timestamp"] + timedelta(seconds=seconds) * n for n in (2, 1, 0)]
        return multiple(*[self.world.send_new({**who, **what, "timestamp": t}) for t in times])

    @rule(target=events, event=events, what=WHAT, withdrawn=st.booleans())
    def correct(self, event: Event, what: Mapping[str, Any], withdrawn: bool) -> Event:
        """Correct or withdraw an event, or take its withdrawal back."""
        return self.world.correct(event, **what, withdrawn=withdrawn)

    @rule(who=WHO, spoiled=st.sampled_from([*POISON, {"kind": "drop"}]))
    def emit_uncounted(self, who: Mapping[str, Any], spoiled: Event) -> None:
        """Send an event that nobody can count, or that the host does not want to be counted."""
        self.world.send_uncounted({**who, **spoiled}, is_dead=spoiled in POISON)

    @rule()
    def emit_undecodable(self) -> None:
        """Let something come into the queue that is no message."""
        self.world.send_undecodable()

    # What brokers and workers do, and what happens to them

    @precondition(lambda self: self.world.messages)
    @rule(numbers=st.lists(st.integers(0, 99), min_size=1, max_size=4))
    def redeliver(self, numbers: list[int]) -> None:
        """Put earlier messages into the queue once more, in any order."""
        self.world.redeliver(numbers)

    @rule(randoms=st.randoms(use_true_random=False), fault=FAULTS)
    def deliver(self, randoms: random.Random, fault: Fault | None) -> None:
        """Process what is in the queue, in any order."""
        self.world.chance = randoms
        self.world.let("process", fault)

    @rule(fault=FAULTS)
    def update(self, fault: Fault | None) -> None:
        """Update the aggregations."""
        self.world.let("update", fault)

    @rule(fault=FAULTS)
    def reset(self, fault: Fault | None) -> None:
        """Compute the aggregations anew."""
        self.world.let("reset", fault)

    @rule(happens=st.sampled_from(["pause", "clock back"]))
    def pass_time(self, happens: str) -> None:
        """Let leases end, or set the clock back by an hour."""
        self.world.let(happens)

    @rule()
    def rest(self) -> None:
        """Come to rest in between."""
        self.world.come_to_rest()

    def teardown(self) -> None:
        """Come to rest in the end."""
        with self._stack:
            self.world.end()
