"""A worker whose machine stands in some time zone; run as a program by test_clocks.py."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings
from tests.aggregations.host import host_settings, visits

#: The zone of the aggregations, and of one of the workers.
ZONE = "Europe/Zurich"
ZONES = [ZONE, "America/New_York", "Asia/Kolkata", "UTC"]

#: When that zone's clocks change: the days have 23 and 25 hours.
CHANGES = [datetime(2016, 3, 27, 1, tzinfo=UTC), datetime(2016, 10, 30, 1, tzinfo=UTC)]

STEP = timedelta(minutes=20)
STEPS_PER_HOUR = 3

#: From before the beginning of the day to after its end.
STEPS = range(-4 * STEPS_PER_HOUR, 24 * STEPS_PER_HOUR)

AGGREGATIONS: dict[str, dict[str, Any]] = {
    "days-agg": {"time_zone": ZONE},
    "hours-agg": {"time_zone": ZONE, "aggregation_interval": "hour"},
}


def moments() -> list[datetime]:
    """Return the times of what each of them sends."""
    return [change + STEP * number for change in CHANGES for number in STEPS]


def main(zone: str, folder: Path, backend: dict[str, Any]) -> None:
    """Send times without an offset, which are UTC; process and update together with others."""
    is_there = time.localtime(CHANGES[0].timestamp()).tm_gmtoff != 0
    if is_there == (zone == "UTC"):
        raise SystemExit(f"this process is not in {zone}")
    settings = {**backend, **host_settings(folder, aggregations=AGGREGATIONS)}
    pipeline = Pipeline(read_settings(settings), instance_path=str(folder))
    pipeline.publish("visit", visits(*[(f"{m:%Y-%m-%dT%H:%M:%S}", zone) for m in moments()]))
    pipeline.process_events()
    pipeline.update()
    pipeline.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))
