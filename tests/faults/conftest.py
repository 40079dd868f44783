"""What the fault tests share: processes that may be hurt, and a proxy before the store."""

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stats_pipeline.pipeline import Pipeline
from tests.faults.gate import Gate
from tests.faults.processes import Work, WorkerProcess
from tests.faults.proxy import StoreProxy
from tests.faults.traffic import EVENT_TYPE, SETTINGS
from tests.support import Backend, MakePipeline

Start = Callable[..., WorkerProcess]
Host = Callable[..., Pipeline]


@pytest.fixture
def host(make_pipeline: MakePipeline) -> Host:
    """Give a function (backend, clock=..., settings) that makes pipelines of this test."""

    def make(backend: Backend, **options: object) -> Pipeline:
        return make_pipeline(backend, **{**SETTINGS, **options})

    return make


@pytest.fixture
def start(index_prefix: str, tmp_path: Path) -> Iterator[Start]:
    """Give a function (backend, work, settings) that starts processes, killed behind the test."""
    started: list[WorkerProcess] = []

    def begin(backend: Backend, work: Work, **settings: object) -> WorkerProcess:
        configuration = {
            "instance_path": str(tmp_path),
            "STATS_INDEX_PREFIX": index_prefix,
            "STATS_EVENTS": {EVENT_TYPE: {}},
            **SETTINGS,
            **backend.settings,
            **settings,
        }
        started.append(WorkerProcess(configuration, work))
        return started[-1]

    yield begin
    for process in started:
        process.kill()


@pytest.fixture
def store_proxy(elasticsearch_url: str) -> Iterator[StoreProxy]:
    """Give a proxy before the store of all tests."""
    proxy = StoreProxy(elasticsearch_url)
    yield proxy
    proxy.close()


@pytest.fixture
def behind_proxy(distributed: Backend, store_proxy: StoreProxy) -> Backend:
    """Give Elasticsearch as it is seen through the proxy, and RabbitMQ."""
    return Backend(store_proxy.url, distributed.broker_url)


@pytest.fixture
def gate(amqp_url: str) -> Iterator[Gate]:
    """Give a gate before the broker of all tests, which is open again at the end."""
    gate = Gate(amqp_url)
    yield gate
    gate.close()


@pytest.fixture
def behind_gate(distributed: Backend, gate: Gate) -> Backend:
    """Give Elasticsearch, and RabbitMQ as it is reached through the gate."""
    return Backend(distributed.store_url, gate.url)


@pytest.fixture
def seed() -> int:
    """Give the number that this run's chance begins with; a failing test shows it."""
    chosen = random.SystemRandom().randrange(2**32)
    sys.stdout.write(f"seed: {chosen}\n")
    return chosen
