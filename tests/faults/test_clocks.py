"""Clocks: one that goes back, and workers who think that they are somewhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from stats_pipeline.clock import ManualClock, parse_time
from stats_pipeline.pipeline import Pipeline
from tests.aggregations.host import host_settings, rows
from tests.faults.conftest import Host
from tests.faults.elsewhere import (
    AGGREGATIONS,
    CHANGES,
    STEPS_PER_HOUR,
    ZONE,
    ZONES,
    moments,
)
from tests.faults.traffic import assert_at_rest, downloads, expected_of, portions, publish
from tests.support import Backend, MakePipeline

CHECKOUT = Path(__file__).parents[2]

NOON = datetime(2016, 12, 20, 12, tzinfo=UTC)
HOUR_SECONDS = 3_600


def test_a_clock_that_goes_back_an_hour_changes_no_total(backend: Backend, host: Host) -> None:
    """Between processing and update; nothing has to wait until the clock has caught up."""
    clock = ManualClock(NOON)
    pipeline = host(backend, clock=clock)
    events = downloads(300)
    for portion in portions(events, 100):
        publish(pipeline, portion)
        assert pipeline.process_events().indexed == len(portion)
        clock.advance(-HOUR_SECONDS)
        assert pipeline.update().is_complete
    assert_at_rest(pipeline, expected_of(events))


def test_workers_in_any_time_zone_count_days_of_23_and_25_hours_exactly(
    backend: Backend, make_pipeline: MakePipeline, tmp_path: Path, index_prefix: str
) -> None:
    """All of them at the same time, each in a zone of its own (TZ), around both changes."""
    settings = host_settings(tmp_path, aggregations=AGGREGATIONS)
    pipeline = make_pipeline(backend, **settings)
    place = json.dumps({**backend.settings, "STATS_INDEX_PREFIX": index_prefix})
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.elsewhere", zone, str(tmp_path), place],
            cwd=CHECKOUT,
            env={**os.environ, "TZ": zone},
        )
        for zone in ZONES
    ]
    assert [worker.wait(60) for worker in workers] == [0] * len(ZONES)
    while pipeline.process_events().taken:
        pass
    assert pipeline.update().is_complete

    local = ZoneInfo(ZONE)
    days = Counter(moment.astimezone(local).date() for moment in moments())
    assert [days[change.date()] / STEPS_PER_HOUR for change in CHANGES] == [23, 25]
    assert counted(pipeline, "days-agg") == {
        (datetime.combine(day, time(), local).astimezone(UTC), zone): number
        for day, number in days.items()
        for zone in ZONES
    }
    hours = Counter(moment.replace(minute=0) for moment in moments())
    assert counted(pipeline, "hours-agg") == {
        (hour, zone): number for hour, number in hours.items() for zone in ZONES
    }
    assert not pipeline.dead_letters.list()
    balance = pipeline.balance()
    assert balance.is_closed, balance
    assert balance.types["visit"].accepted == len(ZONES) * len(moments())
    assert balance.types["visit"].stored == len(ZONES) * len(moments())


def counted(pipeline: Pipeline, name: str) -> dict[tuple[datetime, str], int]:
    """Return the rows as (start, page) -> count."""
    found = {(parse_time(row["start"]), row["page"]): row["count"] for row in rows(pipeline, name)}
    assert len(found) == len(rows(pipeline, name))
    return found
