"""Stand-alone applications in a folder of their own, and servers of phones' reports."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from stats_pipeline.app import create_app
from stats_pipeline.clock import ManualClock
from stats_pipeline.pipeline import Pipeline
from tests.contrib.crash_reports import ACTIVE, START, Make
from tests.support import Backend, MakePipeline, pipeline_of


@pytest.fixture
def make_standalone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Flask]]:
    """Give a function that makes stand-alone applications and makes them the current ones."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:

        def make(**settings: Any) -> Flask:
            app = create_app(settings)
            stack.callback(pipeline_of(app).close)
            stack.enter_context(app.app_context())
            return app

        yield make


@pytest.fixture
def app(make_standalone: Callable[..., Flask]) -> Flask:
    """Give the stand-alone application as it is by default, in an empty folder."""
    return make_standalone()


@pytest.fixture
def make(backend: Backend, make_pipeline: MakePipeline) -> Make:
    """Give a function that makes servers of phones' reports, which share one store and queue."""

    def make_one(clock: ManualClock | None = None, **settings: Any) -> Pipeline:
        return make_pipeline(
            backend, clock=clock or ManualClock(START), **{"STATS_EVENTS": ACTIVE, **settings}
        )

    return make_one


@pytest.fixture
def server(make: Make) -> Pipeline:
    """Give a server of phones' reports, whose clock stands at `START`."""
    return make()


@pytest.fixture
def make_embedded(embedded: Backend, make_pipeline: MakePipeline) -> Make:
    """Give a function that makes servers of phones' reports on one embedded pair."""

    def make_one(clock: ManualClock | None = None, **settings: Any) -> Pipeline:
        clock = clock or ManualClock(START)
        return make_pipeline(embedded, clock=clock, **{"STATS_EVENTS": ACTIVE, **settings})

    return make_one


@pytest.fixture
def embedded_server(make_embedded: Make) -> Pipeline:
    """Give a server on the embedded pair, for what does not depend on the store."""
    return make_embedded()
