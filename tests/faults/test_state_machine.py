"""Whatever happens in whatever order, at rest the numbers are exact: the promise as a law."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.machine import Machine
from tests.faults.world import World, elasticsearch_world, embedded_world

RULES = ("off", "fixed", "sliding")


#: How many stories are tried, and how many steps they have at most.
LENGTHS = [
    (30, 30),
    pytest.param((300, 50), marks=[pytest.mark.slow, pytest.mark.timeout(3_600)]),
]


#: On Elasticsearch all takes longer.
SHORT_LENGTHS = [
    (2, 12),
    pytest.param((20, 30), marks=[pytest.mark.slow, pytest.mark.timeout(3_600)]),
]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("rule", RULES)
def test_totals_are_exact_whatever_happens(rule: str, length: tuple[int, int]) -> None:
    """In any order of steps, with crashes and other processes between any two of them."""
    tell_stories(lambda: embedded_world(rule), *length)


@pytest.mark.parametrize("length", SHORT_LENGTHS)
@pytest.mark.parametrize("rule", ["fixed", "sliding"])
def test_totals_are_exact_whatever_happens_to_elasticsearch(
    elasticsearch_url: str, rule: str, length: tuple[int, int]
) -> None:
    """The same where writes are seen only after a refresh, and bulks may be done by half."""
    tell_stories(lambda: elasticsearch_world(rule, elasticsearch_url), *length)


def tell_stories(
    world: Callable[[], AbstractContextManager[World]], examples: int, steps: int
) -> None:
    """Let Hypothesis look for a story that ends in wrong numbers."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # Without the search for what matters in a story: it takes longer than everything else.
        phases=[phase for phase in Phase if phase is not Phase.explain],
    )
    make: Any = lambda: Machine(world())  # noqa: E731 - its type is wrong in Hypothesis
    run_state_machine_as_test(make, settings=chosen)
