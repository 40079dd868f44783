"""Hosts that move: the same host at several places of one backend."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.clock import Clock, ManualClock
from stats_pipeline.pipeline import Pipeline
from tests.aggregations.host import NOON, host_settings
from tests.support import Backend, MakePipeline

Make = Callable[..., Pipeline]


@pytest.fixture
def make(backend: Backend, make_pipeline: MakePipeline, index_prefix: str, tmp_path: Path) -> Make:
    """Give a function that makes pipelines of a host with visits; each place has its own events."""

    def make_one(*, place: str = "here-", clock: Clock | None = None, **options: Any) -> Pipeline:
        return make_pipeline(
            backend,
            clock=clock or ManualClock(NOON),
            STATS_INDEX_PREFIX=f"{index_prefix}{place}",
            **host_settings(tmp_path, **options),
        )

    return make_one
