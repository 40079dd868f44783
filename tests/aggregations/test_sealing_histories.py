"""Retention beside everything else: whatever comes in between, sealed rows never change."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats_pipeline.clock import ManualClock, format_time, parse_time
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.seals import read_seal
from tests.aggregations.conftest import Make
from tests.aggregations.faulty import CallingAggregator
from tests.aggregations.host import host_settings, rows, table, take, update, visits
from tests.support import Backend, MakePipeline

HOUR_SECONDS = 3_600
START = datetime(2017, 2, 1, tzinfo=UTC)

#: Each history has a store of its own.
NUMBERS = count()

STEP = st.one_of(
    st.tuples(st.just("events"), st.lists(st.tuples(st.integers(0, 240), st.sampled_from("ab")))),
    st.tuples(st.sampled_from(["update", "reset", "reset-range", "retention"]), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 60)),
)


def one_of_each(interval: str, zone: str) -> dict[str, Any]:
    """Return the configuration of an aggregation."""
    return {"aggregation_interval": interval, "index_interval": "year", "time_zone": zone}


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(STEP, min_size=5, max_size=25),
    st.sampled_from(["hour", "day", "week", "all"]),
    st.sampled_from(["UTC", "Asia/Kolkata"]),
)
def test_any_history_with_retention_ends_in_what_was_taken(
    make_pipeline: MakePipeline,
    backend: Backend,
    index_prefix: str,
    tmp_path: Path,
    history: list[tuple[str, Any]],
    interval: str,
    zone: str,
) -> None:
    """Every event that is no dead letter counts, once; sealed rows stay through everything."""
    clock = ManualClock(START + timedelta(hours=120))
    pipeline = make_pipeline(
        backend,
        clock=clock,
        STATS_INDEX_PREFIX=f"{index_prefix}{next(NUMBERS)}-",
        **host_settings(
            tmp_path,
            aggregations={"pages-agg": one_of_each(interval, zone)},
            retention_days=2,
            index_interval="day",
        ),
    )
    taken: Counter[str] = Counter()
    final: dict[str, dict[str, Any]] = {}
    for number, (what, detail) in enumerate(history):
        if what == "events":
            taken += take_some(pipeline, number, detail)
        else:
            do(pipeline, clock, what, detail)
        now = {row["start"] + row["page"]: row for row in rows(pipeline)}
        assert final.items() <= now.items()
        sealed = read_seal(pipeline.store.state, alias_of(pipeline)).sealed_before
        if sealed is not None:
            final = {key: row for key, row in now.items() if row["end"] <= format_time(sealed)}
    assert pipeline.update().is_complete
    assert counted(pipeline) == taken
    assert pipeline.reset().is_complete
    assert counted(pipeline) == taken


def alias_of(pipeline: Pipeline) -> str:
    """Return the alias of the events."""
    return pipeline.registries.event_type("visit").alias


def counted(pipeline: Pipeline) -> Counter[str]:
    """Return page -> events, as the rows say."""
    found: Counter[str] = Counter()
    for row in rows(pipeline):
        found[row["page"]] += row["count"]
    return found


def take_some(pipeline: Pipeline, number: int, visited: list[tuple[int, str]]) -> Counter[str]:
    """Process visits of (hour, page), but for those of the future; return how many were taken."""
    found: Counter[str] = Counter()
    for page in "ab":
        moments = [START + timedelta(hours=hour) for hour, of in visited if of == page]
        events = [
            {"event_id": f"{number}-{page}-{place}", "timestamp": format_time(moment), "page": page}
            for place, moment in enumerate(moments)
            if moment <= pipeline.clock.now()
        ]
        pipeline.publish("visit", events)
        report = pipeline.process_events()
        assert (report.error, report.taken) == ("", len(events))
        found[page] = report.indexed
    return +found


def do(pipeline: Pipeline, clock: ManualClock, what: str, hours: Any) -> None:
    """Do one step of a history."""
    if what == "wait":
        clock.advance(hours * HOUR_SECONDS)
    elif what == "retention":
        assert not pipeline.apply_retention().errors
    elif what == "reset-range":
        assert pipeline.reset(None, "2017-02-02", "2017-02-05").is_complete
    else:
        assert (pipeline.update() if what == "update" else pipeline.reset()).is_complete


@pytest.mark.parametrize("is_everything", [True, False])
def test_retention_in_the_middle_of_a_reset_costs_no_row(
    make: Make, monkeypatch: pytest.MonkeyPatch, *, is_everything: bool
) -> None:
    """What the reset was computing is sealed, and its events are deleted, behind its back."""
    clock = ManualClock(parse_time("2017-03-15T12:00:00Z"))
    pipeline = make(clock=clock, retention_days=31, aggregator_class=CallingAggregator)
    days = [f"2017-0{month}-0{day}T10:00:00Z" for month in (1, 2, 3) for day in (2, 3, 4)]
    take(pipeline, visits(*((day, "a") for day in days)))
    update(pipeline)
    before = table(pipeline)
    pipeline.apply_retention()
    clock.advance(HOUR_SECONDS)
    calls = []

    def retain(row: int) -> None:
        calls.append(row)
        if len(calls) == 3:
            clock.advance(HOUR_SECONDS)
            pipeline.apply_retention()

    monkeypatch.setattr(CallingAggregator, "at_row", staticmethod(retain))
    bounds = () if is_everything else ("2017-01-01", "2017-03-31")
    pipeline.reset(["pages-agg"], *bounds)
    assert table(pipeline) == before
    monkeypatch.setattr(CallingAggregator, "at_row", staticmethod(lambda _: None))
    # A range was being recomputed, so it was not counted: its events stayed.
    assert pipeline.reset(["pages-agg"], *bounds).is_complete
    assert table(pipeline) == before
    pipeline.apply_retention()
    assert pipeline.reset(["pages-agg"]).is_complete
    assert table(pipeline) == before
