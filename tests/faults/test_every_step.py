"""The same story again and again, each time with a crash or another process at another step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from stats_pipeline.clock import parse_time
from tests.faults.crashing import CRASHES
from tests.faults.world import Fault, World, embedded_world

FIRST = parse_time("2016-12-31T23:59:55Z")
CLICK = {
    "visitor_id": "v",
    "unique_id": "i",
    "page": "a",
    "size": 1,
    "is_robot": False,
    "timestamp": FIRST,
}

#: What others do while a process is stopped: enough to make all that it knows out of date.
MEANWHILE: dict[str, tuple[str, ...]] = {
    "works": ("event", "process", "update"),
    "withdraws": ("withdrawal", "process", "update"),
    "takes over": ("event", "process", "pause", "update"),
    "resets": ("event", "process", "reset"),
    "takes over and resets": ("event", "process", "pause", "reset"),
}
FAULTS = [Fault(0, crash=name) for name in CRASHES] + [
    Fault(0, meanwhile=works) for works in MEANWHILE.values()
]


def begin(world: World) -> None:
    """Let events be counted, then let others come: late, corrected, withdrawn, and nobody's."""
    early = world.send_new({**CLICK, "timestamp": FIRST - timedelta(days=3)})
    known = [world.send_new({**CLICK, "visitor_id": name}) for name in "uvw"]
    for work in ("process", "update"):
        world.let(work)
    world.send_new({**CLICK, "timestamp": FIRST + timedelta(seconds=6), "page": "b"})
    world.correct(known[0], page="b")
    world.correct(early, withdrawn=True)
    world.correct(known[1], is_robot=True)
    world.send_uncounted({**CLICK, "odd": 1}, is_dead=True)
    world.send_uncounted({**CLICK, "kind": "drop"}, is_dead=False)
    world.send_undecodable()


#: At how many of the steps, of which there are some dozens, a fault is tried; None: at each. The
#: sliding rule has all the steps of the others, and some of its own.
TRIED = [
    ("sliding", 2),
    pytest.param("sliding", None, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)]),
    pytest.param("off", 4, marks=pytest.mark.slow),
    pytest.param("fixed", 4, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[*CRASHES, *MEANWHILE])
@pytest.mark.parametrize("work", ["process", "update", "reset"])
@pytest.mark.parametrize(("rule", "tried"), TRIED)
def test_a_fault_at_any_step_changes_no_total(
    rule: str, work: str, fault: Fault, tried: int | None
) -> None:
    """Whatever is done, at whichever of its calls of store or queue it is hit."""
    with embedded_world(rule) as world:
        steps = story(world, work, None)
    for step in range(1, steps + 1, 1 if tried is None else max(1, steps // tried)):
        with embedded_world(rule) as world:
            story(world, work, replace(fault, call=step))


def test_rows_of_an_update_that_a_reset_has_overtaken_are_never_seen() -> None:
    """Not even where it was about to make the first index of the generation that is gone."""
    for step in count(1):
        with embedded_world("off") as world:
            world.send_new(CLICK)
            world.let("process")
            calls = world.let("update", Fault(step, meanwhile=("reset",)))
            world.end()
        if calls < step:
            break


def story(world: World, work: str, fault: Fault | None) -> int:
    """Let everything happen that matters, and the fault in this work; return its calls."""
    begin(world)
    if work != "process":
        world.let("process")
    calls = world.let(work, fault)
    world.let("process")
    world.let("update")
    world.end()
    return calls
