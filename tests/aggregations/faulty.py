"""Aggregators that go wrong where a test wants them to, and a process that runs one of them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from stats_pipeline.aggregations.aggregator import Row, StatAggregator
from stats_pipeline.intervals import Period
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings
from stats_pipeline.stores.protocol import Snapshot
from tests.aggregations.host import host_settings


class CallingAggregator(StatAggregator):
    """Call what a test has set at each row, counted from 0 within an interval."""

    at_row: ClassVar[Callable[[int], None]] = lambda _: None

    def rows(self, events: Snapshot, period: Period) -> Iterator[Row]:
        """Yield the rows, with a call before each and one after the last."""
        number = -1
        for number, row in enumerate(super().rows(events, period)):
            type(self).at_row(number)
            yield row
        type(self).at_row(number + 1)


class DyingAggregator(StatAggregator):
    """Kill the process, without any chance to tidy up, before the 1,501st row of an interval."""

    def rows(self, events: Snapshot, period: Period) -> Iterator[Row]:
        """Yield 1,500 rows, of which 1,000 are written when the next one is asked for."""
        for number, row in enumerate(super().rows(events, period)):
            if number == 1_500:
                os.kill(os.getpid(), signal.SIGKILL)
            yield row


def main() -> None:
    """Run an update that dies; arguments: settings of the backend as JSON, and a folder."""
    backend, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    configuration = {**backend, **host_settings(folder, aggregator_class=DyingAggregator)}
    Pipeline(read_settings(configuration), instance_path=str(folder)).update(["pages-agg"])
    raise SystemExit("the aggregator was expected to kill this process")


if __name__ == "__main__":
    main()
