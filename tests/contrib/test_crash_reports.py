"""The worked example E000 with its numbers: any number of updates gives what a reset gives."""

from __future__ import annotations

from typing import Any

import pytest

from stats_pipeline.clock import ManualClock
from stats_pipeline.pipeline import Pipeline
from tests.contrib.crash_reports import (
    ACTIVE,
    E000_FIRST,
    E000_SECOND,
    FIELDS,
    Make,
    advance_to,
    all_rows,
    clock_at,
    days,
    receive,
    reset,
    totals,
    update,
    versions,
)
from tests.support import Backend, MakePipeline

#: The table of E000: heartbeats, crashes, SMPL, other.
AFTER_FIRST: dict[str, Any] = {
    "builds": {"B1": (3, 1, 0, 0), "B2": (1, 0, 1, 1)},
    "build days": {
        ("B1", "2019-03-01"): (3, 0, 0, 0),
        ("B1", "2019-03-02"): (0, 1, 0, 0),
        ("B2", "2019-03-02"): (1, 0, 1, 1),
    },
    "radios": {"R1": (3, 1, 1, 1)},
    "radio days": {("R1", "2019-03-01"): (2, 0, 0, 0), ("R1", "2019-03-02"): (1, 1, 1, 1)},
    "first seen": {"B1": "2019-03-01", "B2": "2019-03-02", "R1": "2019-03-01"},
}
AFTER_SECOND: dict[str, Any] = {
    "builds": {"B1": (4, 2, 0, 0), "B2": (2, 0, 1, 1)},
    "build days": {
        ("B1", "2019-02-20"): (1, 0, 0, 0),
        ("B1", "2019-03-01"): (3, 0, 0, 0),
        ("B1", "2019-03-02"): (0, 2, 0, 0),
        ("B2", "2019-02-25"): (1, 0, 0, 0),
        ("B2", "2019-03-02"): (1, 0, 1, 1),
    },
    "radios": {"R1": (4, 2, 1, 1), "R2": (1, 0, 0, 0)},
    "radio days": {
        ("R1", "2019-02-20"): (1, 0, 0, 0),
        ("R1", "2019-03-01"): (2, 0, 0, 0),
        ("R1", "2019-03-02"): (1, 2, 1, 1),
        ("R2", "2019-02-25"): (1, 0, 0, 0),
    },
    "first seen": {
        "B1": "2019-02-20",
        "B2": "2019-02-25",
        "R1": "2019-02-20",
        "R2": "2019-02-25",
    },
}


def shown(pipeline: Pipeline) -> dict[str, Any]:
    """Return all that the table of E000 shows."""
    table = {**versions(pipeline, "build"), **versions(pipeline, "radio")}
    return {
        "builds": totals(pipeline),
        "build days": days(pipeline),
        "radios": totals(pipeline, "radio"),
        "radio days": days(pipeline, "radio"),
        "first seen": {version: bucket["first_seen"] for version, bucket in table.items()},
    }


def check_totals(pipeline: Pipeline) -> None:
    """Check what the table of versions says of all versions together; `value` counts reports."""
    answer = pipeline.query("build-versions")
    assert (answer["value"], answer["as_of"]) == (10.0, "2019-03-02T18:00:00.000Z")
    assert [bucket["key"] for bucket in answer["buckets"]] == ["B1", "B2"]
    for name in ("value", "heartbeats", "prob_crashes", "smpl", "other"):
        assert answer[name] == sum(bucket[name] for bucket in answer["buckets"])


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands where E000 begins."""
    return clock_at("2019-03-01T10:00")


# Elasticsearch makes thirty indices, which takes a while where others do the same.
@pytest.mark.timeout(300)
def test_E000_two_updates_and_a_reset_give_the_numbers_of_the_table(
    make: Make, clock: ManualClock
) -> None:
    """T000-01, T000-08: after the reset there is what was before it, also what people have set."""
    pipeline = make(clock)
    receive(pipeline, clock, E000_FIRST)
    update(pipeline)
    assert shown(pipeline) == AFTER_FIRST
    facts: dict[str, Any] = {"released_on": "2019-02-01", "is_official": True}
    pipeline.annotations.set("build_fingerprint", "B2", facts)
    receive(pipeline, clock, E000_SECOND)
    advance_to(clock, "2019-03-02T18:00")
    update(pipeline)
    assert shown(pipeline) == AFTER_SECOND
    check_totals(pipeline)
    incremental, released = all_rows(pipeline), _released(pipeline)
    assert released == {
        "B1": ("2019-02-20", False),
        "B2": ("2019-02-01", True),
        "R1": ("2019-02-20", False),
        "R2": ("2019-02-25", False),
    }
    advance_to(clock, "2019-03-03")
    reset(pipeline)
    assert shown(pipeline) == AFTER_SECOND
    assert (all_rows(pipeline), _released(pipeline)) == (incremental, released)


def test_E000_A000_10_one_update_after_all_of_it_gives_the_same_rows(
    embedded: Backend, make_pipeline: MakePipeline, clock: ManualClock
) -> None:
    """How many updates there were, and between which reports, makes no difference."""
    pipeline = make_pipeline(embedded, clock=clock, STATS_EVENTS=ACTIVE)
    receive(pipeline, clock, [*E000_FIRST, *E000_SECOND])
    update(pipeline)
    assert shown(pipeline) == AFTER_SECOND


def _released(pipeline: Pipeline) -> dict[str, tuple[str, bool]]:
    return {
        version: (bucket["released_on"], bucket["is_official"])
        for dimension in FIELDS
        for version, bucket in versions(pipeline, dimension).items()
    }
