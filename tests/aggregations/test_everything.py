"""Whatever happens to events, and in whichever order: at rest the rows say what is counted."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from stats_pipeline.clock import ManualClock
from stats_pipeline.pipeline import Pipeline
from tests.aggregations.everything import Everything
from tests.aggregations.happenings import OPTIONS, SLIDING
from tests.aggregations.host import host_settings
from tests.support import Backend, MakePipeline

#: Each history has a place of its own.
PLACES = count()

#: Index intervals differ so that days are deleted one by one, or many at a time. Keys are destroyed
#: before their time is closed; not with the sliding rule, which then can't find all clicks.
RULES: dict[str, dict[str, Any]] = {
    "off": {"index_interval": "week"},
    "sliding": {"index_interval": "day", **SLIDING},
}
GRACE_DAYS = {"off": 20, "sliding": 3_650}

#: How many histories are tried, and how many steps they have at most. In Elasticsearch each
#: creates and deletes dozens of indices.
SHORT = {"embedded": (8, 25), "distributed": (2, 6)}
LONG = {"embedded": (300, 40), "distributed": (6, 25)}


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(LONG, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(7_200)]),
    ],
)
@pytest.mark.parametrize("rule", RULES)
def test_rows_say_what_is_counted_whatever_happens(
    backend: Backend,
    make_pipeline: MakePipeline,
    index_prefix: str,
    tmp_path: Path,
    rule: str,
    lengths: dict[str, tuple[int, int]],
) -> None:
    """Late, corrected, redelivered, imported, undone, erased, sealed, deleted, reset."""
    is_embedded = backend.broker_url is None

    def machine() -> Everything:
        prefix = f"{index_prefix}{next(PLACES)}-"
        place = Backend(f"sqlite:///{tmp_path / prefix}.db") if is_embedded else backend

        def start(clock: ManualClock) -> Pipeline:
            return make_pipeline(
                place,
                clock=clock,
                STATS_INDEX_PREFIX=prefix,
                STATS_UPDATE_THREADS=1,
                STATS_GRACE_DAYS=GRACE_DAYS[rule],
                **host_settings(tmp_path, **OPTIONS, **RULES[rule]),
            )

        return Everything(start, is_sliding=rule == "sliding")

    examples, steps = lengths["embedded" if is_embedded else "distributed"]
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # Without the search for what matters in a history: it takes longer than everything else.
        phases=[phase for phase in Phase if phase is not Phase.explain],
    )
    run: Any = run_state_machine_as_test  # it takes a function as well as a class
    run(machine, settings=chosen)
