"""Every test of the aggregations runs on both stores."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.pipeline import Pipeline
from tests.aggregations.host import make_pipeline

Make = Callable[..., Pipeline]


@pytest.fixture(params=["sqlite", pytest.param("elasticsearch", marks=pytest.mark.servers)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of each store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'stats.db'}"
    url: str = request.getfixturevalue("elasticsearch_url")
    return url


@pytest.fixture
def make(store_url: str, tmp_path: Path, index_prefix: str) -> Iterator[Make]:
    """Give a function that makes pipelines which share one store and queue."""
    made: list[Pipeline] = []

    def make_one(**options: Any) -> Pipeline:
        made.append(make_pipeline(store_url, tmp_path, prefix=index_prefix, **options))
        return made[-1]

    yield make_one
    for pipeline in made:
        pipeline.close()
