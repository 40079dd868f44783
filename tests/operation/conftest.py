"""A doctor, and a worker that works while the doctor waits."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from kombu.connection import Connection

from stats_pipeline.clock import SystemClock
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.pipeline.doctor import DoctorReport, Hop
from stats_pipeline.stores.protocol import Record
from tests.support import Backend, MakePipeline

#: Every kind of state record that the doctor's own chain makes.
KINDS = ("index", "row-index", "mark", "fixed", "generation", "as-of", "lease", "probe", "run")


class WorkersClock(SystemClock):
    """Let a worker have its turn whenever the doctor waits."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work

    def sleep(self, _seconds: float) -> None:
        """Work instead of waiting."""
        self._work()


@pytest.fixture(autouse=True)
def delete_queue(request: pytest.FixtureRequest, index_prefix: str) -> Iterator[None]:
    """Delete the doctor's own queue, which a doctor leaves for the next one."""
    if not request.node.get_closest_marker("servers"):
        yield
    else:
        broker_url = request.getfixturevalue("amqp_url")
        yield
        with Connection(broker_url) as connection, connection.channel() as channel:
            channel.queue_delete(f"{index_prefix}stats-stats-doctor")


@pytest.fixture
def attended(backend: Backend, make_pipeline: MakePipeline) -> Pipeline:
    """Give a pipeline whose queues another one drains while this one waits."""
    worker = make_pipeline(backend)
    return make_pipeline(backend, clock=WorkersClock(worker.process_events))


def ask(pipeline: Pipeline, wait_seconds: float = 0) -> DoctorReport:
    """Ask the doctor, who tells each hop twice: when it is known and in the report."""
    told: list[Hop] = []
    report = pipeline.doctor(wait_seconds, on_hop=told.append)
    assert told == list(report.hops)
    assert report.as_dict()["hops"][0]["name"] == told[0].name
    return report


def by_name(report: DoctorReport) -> Mapping[str, Hop]:
    """Return the hops by their names."""
    return {hop.name: hop for hop in report.hops}


def failed(report: DoctorReport) -> set[str]:
    """Return the names of the hops that failed."""
    return {hop.name for hop in report.hops if hop.status == "failed"}


def records_of_the_doctor(pipeline: Pipeline) -> list[Record]:
    """Return what a doctor has left among the state records."""
    found = [record for kind in KINDS for record in pipeline.store.state.find(kind)]
    return [
        record
        for record in found
        if "stats-doctor" in record.key + record.group or record.kind == "probe"
    ]
