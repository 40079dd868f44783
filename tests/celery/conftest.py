"""What the tests of the tasks share: no app that an earlier test has made is still there."""

from collections.abc import Iterator

import pytest

from stats_pipeline import tasks
from tests.support import pipeline_of


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
