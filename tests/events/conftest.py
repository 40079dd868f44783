"""An event type of the tests' own, `thing`, whose preprocessors and window each test chooses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.pipeline import Pipeline
from tests.support import Backend, MakePipeline

PROPERTIES = {
    "item": {"type": "keyword"},
    "trace": {"type": "keyword"},
    "value": {"type": "long"},
    # A store that looks into objects may refuse what the check of events lets pass.
    "extra": {"type": "object", "properties": {"number": {"type": "long"}}},
}

Thing = Callable[..., dict[str, Any]]
ThingPipeline = Callable[..., Pipeline]


@pytest.fixture
def thing(tmp_path: Path) -> Thing:
    """Give a function that returns a registration: `processor_config`, and keys beside it."""
    folder = tmp_path / "templates"
    folder.mkdir()
    body = {"template": {"mappings": {"properties": PROPERTIES}}}
    (folder / "events-stats-thing.json").write_text(json.dumps(body))
    (folder / "events-stats-other.json").write_text(json.dumps(body))

    def make(*, keys: dict[str, Any] | None = None, **processor_config: Any) -> dict[str, Any]:
        config = {"preprocessors": [], **processor_config}
        return {"templates": str(folder), "processor_config": config, **(keys or {})}

    return make


@pytest.fixture
def thing_pipeline(backend: Backend, make_pipeline: MakePipeline, thing: Thing) -> ThingPipeline:
    """Give a function that makes a pipeline of `thing`, on both kinds of servers."""
    return _maker(backend, make_pipeline, thing)


@pytest.fixture
def embedded_pipeline(
    embedded: Backend, make_pipeline: MakePipeline, thing: Thing
) -> ThingPipeline:
    """Give the same for what can't differ between stores and queues."""
    return _maker(embedded, make_pipeline, thing)


def _maker(backend: Backend, make_pipeline: MakePipeline, thing: Thing) -> ThingPipeline:
    def make(
        *, settings: dict[str, Any] | None = None, clock: Any = None, **processor_config: Any
    ) -> Pipeline:
        events = {"thing": thing(**processor_config)}
        return make_pipeline(backend, clock=clock, STATS_EVENTS=events, **(settings or {}))

    return make
