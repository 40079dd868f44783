"""What the tests of the tasks share: no app that an earlier test has made is still there."""

from collections.abc import Iterator

import pytest
from celery.signals import worker_shutting_down

from stats_pipeline import tasks
from tests.support import pipeline_of


@pytest.fixture
def told_to_end() -> Iterator[None]:
    """Be as a worker that has got SIGTERM."""
    worker_shutting_down.send(sender="a worker", sig="SIGTERM", how="Warm", exitcode=0)
    yield
    tasks._told_to_end[0] = 0


@pytest.fixture
def fresh_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Be as a process in which no task has run; it works in an empty folder."""
    monkeypatch.chdir(tmp_path_factory.mktemp("worker"))
    tasks._make_app.cache_clear()
    yield
    if tasks._make_app.cache_info().currsize:
        pipeline_of(tasks.make_app()).close()
    tasks._make_app.cache_clear()
