"""Every test of the aggregations runs on both stores and queues."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.clock import Clock, ManualClock
from stats_pipeline.pipeline import Pipeline
from tests.aggregations.faulty import CallingAggregator
from tests.aggregations.host import NOON, host_settings
from tests.support import Backend, MakePipeline

Make = Callable[..., Pipeline]
SetCall = Callable[[Callable[[int], None]], None]

#: How long a thread of a test waits for another one.
PATIENCE_SECONDS = 30


@pytest.fixture
def make(backend: Backend, make_pipeline: MakePipeline, tmp_path: Path) -> Make:
    """Give a function that makes pipelines of the host, which share one store and queue.

    An update does one interval after the other, unless a test asks for more threads.
    """

    def make_one(
        *,
        clock: Clock | None = None,
        lease_seconds: float = 60,
        threads: int = 1,
        **options: Any,
    ) -> Pipeline:
        return make_pipeline(
            backend,
            clock=clock or ManualClock(NOON),
            STATS_LEASE_SECONDS=lease_seconds,
            STATS_UPDATE_THREADS=threads,
            **host_settings(tmp_path, **options),
        )

    return make_one


@pytest.fixture
def at_row(monkeypatch: pytest.MonkeyPatch) -> SetCall:
    """Give a function that sets what `CallingAggregator` calls."""

    def set_call(call: Callable[[int], None]) -> None:
        monkeypatch.setattr(CallingAggregator, "at_row", staticmethod(call))

    return set_call
