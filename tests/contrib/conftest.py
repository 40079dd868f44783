"""Stand-alone applications in a folder of their own, and the real log."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from stats_pipeline.app import create_app
from tests.support import pipeline_of

REAL_LOG = Path(__file__).parents[3] / "shared" / "data" / "access_combined.log.gz"


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


@pytest.fixture(scope="session")
def real_log() -> Path:
    """Give the log of a real web server, which lies beside the checkout."""
    if not REAL_LOG.exists():
        pytest.fail("the real log (see issue 3) is not at ../shared/data beside the checkout")
    return REAL_LOG
