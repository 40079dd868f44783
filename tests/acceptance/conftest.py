"""What the acceptance cases share: a host's pipeline of downloads, and packages that register."""

from typing import Any, Protocol

import pytest

from stats_pipeline.pipeline import Pipeline
from tests.registry.conftest import register
from tests.support import Backend, MakePipeline

__all__ = ["register"]


class Make(Protocol):
    """Make a pipeline, on whichever stores and queues the test runs."""

    def __call__(self, **settings: Any) -> Pipeline:
        """Make it."""


@pytest.fixture
def make(backend: Backend, make_pipeline: MakePipeline) -> Make:
    """Give a function that makes pipelines with these settings, which share one store."""

    def make(**settings: Any) -> Pipeline:
        return make_pipeline(backend, **settings)

    return make


@pytest.fixture
def pipeline(make: Make) -> Pipeline:
    """Give a pipeline of downloads."""
    return make()
