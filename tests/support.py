"""What tests of the whole pipeline share: places to run in, apps, pipelines, the events of E004."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from elasticsearch import Elasticsearch
from flask import Flask
from kombu.connection import Connection

from stats_pipeline import Filter, StatsPipeline
from stats_pipeline.clock import Clock
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings
from stats_pipeline.stores.elasticsearch.client import chunks_of_names
from stats_pipeline.stores.protocol import Document

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def _download(number: int, time: str, user: str | None, file_id: str) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "timestamp": f"2016-12-{time}Z",
        "user_id": user,
        "user_agent": ROBOT if user is None else BROWSER,
        "bucket_id": "20",
        "file_id": file_id,
        "file_key": {"f-1": "file1.txt", "f-2": "file2.txt"}[file_id],
        "size": 1_000,
    }


#: The worked example E004; e10, the last one, is a redelivery of e4.
E004_EVENTS: list[dict[str, Any]] = [
    _download(1, "18T10:00:00.000", "u1", "f-1"),
    _download(2, "18T10:00:09.900", "u1", "f-1"),
    _download(3, "18T10:00:10.000", "u1", "f-1"),
    _download(4, "18T10:00:05.000", "u2", "f-1"),
    _download(5, "18T10:00:05.000", "u1", "f-2"),
    _download(6, "18T10:00:20.000", None, "f-1"),
    _download(7, "18T23:59:59.000", "u1", "f-1"),
    _download(8, "19T00:00:00.000", "u1", "f-1"),
    _download(9, "19T00:00:04.000", "u1", "f-1"),
    _download(4, "18T10:00:05.000", "u2", "f-1"),
]


@dataclass(frozen=True)
class Backend:
    """Be a place to run in: where the store is, and where the queue is."""

    store_url: str
    broker_url: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Give it as settings."""
        return {"STATS_STORE_URL": self.store_url, "STATS_BROKER_URL": self.broker_url}


class MakeApp(Protocol):
    """Make a Flask app with statistics; `file-download` is active unless settings say otherwise."""

    def __call__(self, store_url: str, broker_url: str | None = None, **settings: Any) -> Flask:
        """Make it."""


class MakePipeline(Protocol):
    """Make a pipeline without Flask; `file-download` is active unless settings say otherwise."""

    def __call__(
        self, backend: Backend, *, clock: Clock | None = None, **settings: Any
    ) -> Pipeline:
        """Make it."""


@pytest.fixture
def embedded(tmp_path: Path) -> Backend:
    """Give a SQLite file for store and queue."""
    return Backend(f"sqlite:///{tmp_path / 'stats.db'}")


@pytest.fixture
def distributed(elasticsearch_url: str, amqp_url: str, index_prefix: str) -> Iterator[Backend]:
    """Give Elasticsearch and RabbitMQ; what has the test's prefix is deleted behind it."""
    with cleared(elasticsearch_url, index_prefix):
        yield Backend(elasticsearch_url, amqp_url)


# The name of the fixture behind a parameter is seen at run time only, so the mark is set here.
@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.servers)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Give each of the two ways to run."""
    chosen: Backend = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def make_pipeline(index_prefix: str, tmp_path: Path) -> Iterator[MakePipeline]:
    """Give a function that makes pipelines under the test's prefix, closed behind the test."""
    made: list[Pipeline] = []

    def make(backend: Backend, *, clock: Clock | None = None, **settings: Any) -> Pipeline:
        configuration = _configuration(index_prefix, backend, settings)
        pipeline = Pipeline(read_settings(configuration), instance_path=str(tmp_path), clock=clock)
        made.append(pipeline)
        return pipeline

    yield make
    for pipeline in made:
        _end(pipeline)


@pytest.fixture
def make_app(index_prefix: str, tmp_path: Path) -> Iterator[MakeApp]:
    """Give a function that makes apps under the test's prefix, whose pipelines are closed."""
    made: list[Flask] = []

    def make(store_url: str, broker_url: str | None = None, **settings: Any) -> Flask:
        app = Flask("host", instance_path=str(tmp_path))
        app.config.update(_configuration(index_prefix, Backend(store_url, broker_url), settings))
        StatsPipeline(app)
        made.append(app)
        return app

    yield make
    for app in made:
        _end(pipeline_of(app))


@contextmanager
def cleared(elasticsearch_url: str, prefix: str) -> Iterator[None]:
    """Delete what has this prefix in Elasticsearch behind what is done inside."""
    yield
    with Elasticsearch(elasticsearch_url) as api:
        api.options(ignore_status=404).indices.delete_index_template(name=f"{prefix}*")
        found = api.indices.get(index=f"{prefix}*", expand_wildcards="all")
        for chunk in chunks_of_names(list(found)):
            api.indices.delete(index=chunk)


def pipeline_of(app: Flask) -> Pipeline:
    """Return the pipeline of an app."""
    pipeline: Pipeline = app.extensions["stats_pipeline"]
    return pipeline


def stored_documents(pipeline: Pipeline, event_type: str = "file-download") -> list[Document]:
    """Return the stored events of a type, oldest first."""
    alias = pipeline.registries.event_type(event_type).alias
    pipeline.store.refresh([alias])
    with pipeline.store.snapshot([alias]) as snapshot:
        return list(snapshot.scan(Filter(), ["timestamp", "event_id"]))


def stored_events(pipeline: Pipeline, event_type: str = "file-download") -> list[dict[str, Any]]:
    """Return the bodies of the stored events of a type, oldest first."""
    return [dict(document.body) for document in stored_documents(pipeline, event_type)]


def _configuration(prefix: str, backend: Backend, settings: dict[str, Any]) -> dict[str, Any]:
    defaults = {"STATS_EVENTS": {"file-download": {}}, "STATS_INDEX_PREFIX": prefix}
    return {**defaults, **backend.settings, **settings}


def _end(pipeline: Pipeline) -> None:
    pipeline.close()
    broker_url = pipeline.settings["STATS_BROKER_URL"]
    if broker_url:
        prefix = pipeline.settings["STATS_INDEX_PREFIX"]
        with Connection(broker_url) as connection, connection.channel() as channel:
            for name in pipeline.registries.active_event_types:
                channel.queue_delete(f"{prefix}stats-{name}")
