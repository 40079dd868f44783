"""The doctor says hop by hop what works, and leaves nothing behind."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from kombu.connection import Connection

from stats_pipeline import Filter
from stats_pipeline.clock import ManualClock
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.pipeline.doctor import DoctorReport, Hop, chain
from stats_pipeline.pipeline.doctor.registrations import EVENT_TYPE, SETTINGS
from tests.operation.conftest import ask, by_name, failed, records_of_the_doctor
from tests.support import E004_EVENTS, Backend, MakePipeline, stored_events

NOW = datetime(2016, 12, 20, 12, tzinfo=UTC)

OWN_CHAIN = [
    "test event published",
    "test event stored",
    "test event aggregated",
    "test event counted by a query",
]


@pytest.fixture
def closed_port() -> int:
    """Give a port of this machine at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def with_broker(embedded: Backend, amqp_url: str) -> Backend:
    """Give RabbitMQ and a store that needs no server."""
    return Backend(embedded.store_url, amqp_url)


@contextmanager
def broker_at(pipeline: Pipeline, url: str) -> Iterator[Pipeline]:
    """Let the pipeline talk to this broker, of which nothing has to be tidied up."""
    pipeline.settings["STATS_BROKER_URL"] = url
    yield pipeline
    pipeline.settings["STATS_BROKER_URL"] = None


def test_the_hosts_statistics_do_not_change(attended: Pipeline) -> None:
    """Neither events nor rows nor dead letters are more than before, and no run is listed."""
    attended.publish("file-download", E004_EVENTS)
    attended.process_events()
    attended.update()
    before = (stored_events(attended), rows_of(attended), attended.runs(), attended.status())
    assert failed(ask(attended, wait_seconds=30)) == set()
    after = (stored_events(attended), rows_of(attended), attended.runs(), attended.status())
    assert after[:3] == before[:3]
    assert after[3]["dead_letter_summary"] == before[3]["dead_letter_summary"]
    assert after[3]["events"] == before[3]["events"]
    assert attended.balance().is_closed


def test_everything_works_and_nothing_grows_however_often_it_is_asked(attended: Pipeline) -> None:
    """A worker answers, an own event is counted exactly once, and what was made is gone."""
    names = [
        f"{attended.settings['STATS_INDEX_PREFIX']}{alias}"
        for alias in ("events-stats-stats-doctor", "stats-stats-doctor")
    ]
    own = attended.beside({**attended.settings, **SETTINGS}).registries.event_type(EVENT_TYPE)
    for _ in range(2):
        report = ask(attended, wait_seconds=30)
        assert failed(report) == set()
        assert {hop.status for hop in report.hops} == {"ok"}
        assert report.is_healthy
        assert not report.is_misconfigured
        assert "answered by process" in by_name(report)["worker for file-download"].detail
        assert records_of_the_doctor(attended) == []
        with attended.store.snapshot(names) as snapshot:
            assert snapshot.count(Filter()) == 0
        assert attended.queue.depth(own.queue_name) == 0


def test_what_a_killed_doctor_left_is_removed(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """An event that is still in the queue, and one that is stored, don't confuse the next one."""
    pipeline = make_pipeline(embedded)
    own = pipeline.beside({**pipeline.settings, **SETTINGS})
    own.publish(EVENT_TYPE, [{"test_id": "stored"}])
    chain._process(own)
    own.publish(EVENT_TYPE, [{"test_id": "in the queue"}])
    assert failed(ask(pipeline)) == set()
    assert records_of_the_doctor(pipeline) == []


def test_two_doctors_do_not_disturb_each_other(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """The second one says why it sends no event."""
    pipeline = make_pipeline(embedded)
    reports: list[DoctorReport] = []

    def ask_again(hop: Hop) -> None:
        if hop.name == "test event published" and not reports:
            reports.append(make_pipeline(embedded).doctor(0))

    assert failed(pipeline.doctor(0, on_hop=ask_again)) == set()
    (second,) = reports
    assert failed(second) == {"test event published"}
    assert "another doctor" in by_name(second)["test event published"].detail


def test_nobody_drains(backend: Backend, make_pipeline: MakePipeline) -> None:
    """The doctor waits as long as it was told to, and says what to start."""
    pipeline = make_pipeline(backend, clock=ManualClock(NOW))
    report = ask(pipeline, wait_seconds=15)
    assert failed(report) == {"worker for file-download"}
    assert "stats serve" in by_name(report)["worker for file-download"].advice
    assert not report.is_misconfigured


def test_a_worker_that_comes_late_leaves_no_answer(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """Its message is taken away all the same, as one without events."""
    clock = ManualClock(NOW)
    ask(make_pipeline(embedded, clock=clock), wait_seconds=15)
    clock.advance(3_600)
    worker = make_pipeline(embedded, clock=clock)
    report = worker.process_events()
    assert (report.taken, report.dead) == (0, 0)
    assert worker.status()["events"]["file-download"]["waiting_messages"] == 0
    assert records_of_the_doctor(worker) == []


def test_the_broker_is_away(
    embedded: Backend, make_pipeline: MakePipeline, closed_port: int
) -> None:
    """What needs it is not tried; the store is."""
    with broker_at(
        make_pipeline(embedded),
        f"amqp://guest:secret@127.0.0.1:{closed_port}//",
    ) as pipeline:
        report = ask(pipeline, wait_seconds=5)
    hops = by_name(report)
    assert failed(report) == {"message queue"}
    assert "is it running" in hops["message queue"].detail
    assert "secret" not in str(report.as_dict())
    assert hops["store"].is_ok
    assert hops["queue of file-download"].status == "not tried"
    assert hops["worker for file-download"].detail == "needs queue of file-download"
    assert [hops[name].status for name in OWN_CHAIN] == ["not tried"] * 4


def test_the_broker_knows_the_user_not(
    embedded: Backend, make_pipeline: MakePipeline, amqp_url: str
) -> None:
    """The doctor says to look at user and rights, and where these are listed."""
    wrong = amqp_url.replace("guest:guest@", "guest:secret@")
    with broker_at(make_pipeline(embedded), wrong) as pipeline:
        report = ask(pipeline)
    hop = by_name(report)["message queue"]
    assert "check the user, the password" in hop.detail
    assert "docs/deployment.md" in hop.advice
    assert "secret" not in str(report.as_dict())


def test_the_store_has_no_secure_connection(
    make_pipeline: MakePipeline, elasticsearch_url: str
) -> None:
    """The doctor says to look at address and certificate."""
    secure = elasticsearch_url.replace("http://", "https://")
    hop = by_name(ask(make_pipeline(Backend(secure))))["store"]
    assert "There is no secure connection" in hop.detail
    assert "certificate" in hop.advice


def test_the_store_is_away(
    embedded: Backend, make_pipeline: MakePipeline, closed_port: int
) -> None:
    """What needs it is not tried; configuration and queue are."""
    report = ask(make_pipeline(Backend(f"http://127.0.0.1:{closed_port}")), wait_seconds=5)
    hops = by_name(report)
    assert failed(report) == {"store"}
    assert hops["queue of file-download"].is_ok
    assert {hop.status for hop in report.hops if hop.detail == "needs store"} == {"not tried"}
    assert hops["worker for file-download"].status == "not tried"


def test_a_queue_has_other_arguments(
    with_broker: Backend, make_pipeline: MakePipeline, index_prefix: str
) -> None:
    """The broker refuses it for good: the doctor says that it must be emptied and deleted."""
    with Connection(with_broker.broker_url) as connection, connection.channel() as channel:
        channel.queue_declare(f"{index_prefix}stats-file-download", durable=True, auto_delete=False)
    report = ask(make_pipeline(with_broker), wait_seconds=5)
    assert failed(report) == {"queue of file-download"}
    detail = by_name(report)["queue of file-download"].detail
    assert "with other arguments" in detail
    assert "delete it" in detail


def test_an_index_was_deleted_by_hand(backend: Backend, make_pipeline: MakePipeline) -> None:
    """The doctor names it and says what happens to its rows."""
    pipeline = make_pipeline(backend)
    pipeline.publish("file-download", E004_EVENTS)
    pipeline.process_events()
    name = f"{pipeline.registries.event_type('file-download').alias}-2016-12"
    assert "1 index, none is lost" in by_name(ask(pipeline))["events of file-download"].detail
    pipeline.store.delete_indices([name])
    report = ask(pipeline)
    assert failed(report) == {"events of file-download"}
    assert f"The index {name} is gone" in by_name(report)["events of file-download"].detail


def test_the_spool_can_not_be_written(
    with_broker: Backend, make_pipeline: MakePipeline, tmp_path: Any
) -> None:
    """Events would be lost as soon as the broker is away, so it is said before."""
    (tmp_path / "file").write_text("no folder")
    report = ask(make_pipeline(with_broker, STATS_SPOOL=str(tmp_path / "file")))
    assert failed(report) == {"spool"}
    assert "STATS_SPOOL" in by_name(report)["spool"].advice


def test_the_spool_is_full(with_broker: Backend, make_pipeline: MakePipeline) -> None:
    """Nothing is wrong with its file, but in the next outage events would be lost."""
    report = ask(make_pipeline(with_broker, STATS_SPOOL_MEGABYTES=0.01))
    assert failed(report) == {"spool"}
    assert "spool.db is full: it holds 10,000" in by_name(report)["spool"].detail
    assert "STATS_SPOOL_MEGABYTES" in by_name(report)["spool"].advice


def rows_of(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Return the rows of the host's aggregation."""
    alias = pipeline.registries.aggregation("file-download-agg").alias
    with pipeline.store.snapshot([alias]) as snapshot:
        return [dict(document.body) for document in snapshot.scan(Filter(), ["timestamp"])]
