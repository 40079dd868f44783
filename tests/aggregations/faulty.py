"""Aggregators that go wrong where a test wants them to, and a process that runs one of them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from stats_pipeline.aggregations.aggregator import Row, StatAggregator
from stats_pipeline.clock import SystemClock
from stats_pipeline.intervals import Period
from stats_pipeline.stores.protocol import Snapshot


class CallingAggregator(StatAggregator):
    """Call what a test has set at each row, counted from 0 within an interval."""

    at_row: ClassVar[Callable[[int], None]] = lambda number: None

    def rows(self, events: Snapshot, period: Period) -> Iterator[Row]:
        """Yield the rows, with a call before each and one after the last."""
        number = -1
        for number, row in enumerate(super().rows(events, period)):  # noqa: B007 - used below
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
    """Run an update that dies; arguments: store URL, folder, index prefix."""
    from tests.aggregations.host import make_pipeline

    store_url, folder, prefix = sys.argv[1:]
    pipeline = make_pipeline(
        store_url,
        Path(folder),
        prefix=prefix,
        clock=SystemClock(),
        aggregator_class=DyingAggregator,
        STATS_LEASE_SECONDS=2,
    )
    pipeline.update(["pages-agg"])
    raise SystemExit("the aggregator was expected to kill this process")


if __name__ == "__main__":
    main()
