"""RabbitMQ and Elasticsearch with TLS, users and the least rights of docs/deployment.md."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from traceback import TracebackException

import pytest
from amqp import Message
from kombu.connection import Connection

from stats_pipeline.errors import (
    QueueRefused,
    QueueUnavailable,
    StatsError,
    StoreRefused,
    StoreUnavailable,
)
from stats_pipeline.model import Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings
from tests.celery.workers import run_celery, running_worker
from tests.security.conftest import PREFIX, Secured, assert_no_password
from tests.security.pickles import pickle_that_makes
from tests.support import E004_EVENTS, Backend, stored_documents

Make = Callable[[Backend], Pipeline]

QUERY = {"bucket_id": "20", "file_key": "file1.txt", "interval": "day"}
TICKS = f"{PREFIX}stats.ticks"
UPDATE = "stats_pipeline.tasks.update_aggregations"


@pytest.fixture
def trusting(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> Secured:
    """Give the servers to a process that trusts their authority, as the page says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.authority))
    return secured


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Give a function that makes pipelines under the prefix that the users have rights for."""
    made: list[Pipeline] = []

    def make(backend: Backend) -> Pipeline:
        own = {"STATS_INDEX_PREFIX": PREFIX, "STATS_EVENTS": {"file-download": {}}}
        made.append(
            Pipeline(read_settings({**backend.settings, **own}), instance_path=str(tmp_path))
        )
        return made[-1]

    yield make
    for pipeline in made:
        pipeline.close()


def test_the_whole_chain_runs_with_tls_and_the_rights_of_the_page(
    trusting: Secured, make: Make
) -> None:
    """Web emits, a worker processes and updates, web answers: the numbers of E004."""
    worker = make(trusting.backend("stats-worker"))
    worker.init()
    web = make(trusting.backend("stats-web"))
    web.publish("file-download", E004_EVENTS)
    web.publish("file-download", [{"timestamp": "2016-12-18", "no_such_field": 1}])
    report = worker.process_events()
    assert (report.taken, report.dead) == (len(E004_EVENTS) + 1, 1)
    assert worker.update().aggregations["file-download-agg"].created > 0
    answer = web.query("bucket-file-download-histogram", **QUERY)
    assert [bucket["value"] for bucket in answer["buckets"]] == [4.0, 1.0]
    worker.status()
    worker.apply_retention()
    worker.dead_letters.replay()
    assert worker.process_events().dead == 1
    worker.dead_letters.purge()
    assert not worker.reset().aggregations["file-download-agg"].error
    again = web.query("bucket-file-download-histogram", **QUERY)
    assert again["buckets"] == answer["buckets"]
    examined = worker.doctor(wait_seconds=0)
    assert examined.is_healthy, examined
    _web_may_not(web, worker)


def _web_may_not(web: Pipeline, worker: Pipeline) -> None:
    """Check that it can neither read raw data nor take events from a queue."""
    assert stored_documents(worker)
    advice = "check the user, the password and the user's privileges"
    for alias in (f"{PREFIX}events-stats-file-download", f"{PREFIX}stats_pipeline-dead-letters"):
        with pytest.raises(StoreRefused, match=advice), web.store.snapshot([alias]) as snapshot:
            snapshot.count(Filter())
    with pytest.raises(StoreRefused, match=advice):
        web.store.get(f"{PREFIX}stats_pipeline-dead-letters-1", ["id"])
    rows = worker.registries.aggregation("file-download-agg").alias
    for forbidden in (web.store.refresh, web.store.delete_indices, web.store.index_uuids):
        # What is silently left out would look done, or not there.
        with pytest.raises(StoreRefused, match=advice):
            forbidden([f"{PREFIX}events-stats-file-download", rows])
    with (
        pytest.raises(QueueRefused, match="rights there to configure, write and read"),
        web.queue.consume(f"{PREFIX}stats-file-download"),
    ):
        pass


def test_without_rights_each_side_says_what_to_check(trusting: Secured, make: Make) -> None:
    """A user with the right password and no role, or under another prefix."""
    backend = trusting.backend("nobody")
    nobody = make(replace(backend, broker_url=None))
    for question in (nobody.store.check, lambda: nobody.query("access-log-histogram")):
        # Not "0": an answer from what somebody may not see would look exact.
        with pytest.raises(StoreRefused, match=r"unauthorized for user.*the user's privileges"):
            question()
    web = make(trusting.backend("stats-web"))
    with pytest.raises(QueueRefused, match=r"ACCESS_REFUSED.*rights there to configure"):
        web.queue.declare(["another-stats-file-download"])


@pytest.mark.parametrize(
    ("problem", "store_says", "queue_says"),
    [
        ("password", "check the user, the password", "check the user, the password"),
        ("authority", "SSL_CERT_FILE if it is your own", "SSL_CERT_FILE if it is your own"),
        ("host", "certificate is not valid for|check the address", "check the address"),
        ("no tls", "does not answer|check the address", "does not answer"),
        ("port", "is it running, and is the address right", "is it running"),
    ],
)
def test_a_refused_connection_says_what_to_do_and_no_password(
    problem: str,
    store_says: str,
    queue_says: str,
    secured: Secured,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Wrong password, unknown authority, another host's certificate, no TLS, a closed port."""
    caplog.set_level(logging.DEBUG)
    if problem != "authority":
        monkeypatch.setenv("SSL_CERT_FILE", str(secured.authority))
    pipeline = make(_with(problem, secured))
    kinds = (StoreRefused, StoreUnavailable), (QueueRefused, QueueUnavailable)
    parts = (pipeline, pipeline._connections, pipeline.settings, pipeline.store, pipeline.queue)
    said = [*map(repr, parts), str(vars(pipeline.store)), str(vars(pipeline.queue))]
    for check, kind, expected in zip(
        (pipeline.store.check, pipeline.queue.check), kinds, (store_says, queue_says), strict=True
    ):
        with pytest.raises(kind, match=expected) as caught:
            check()
        said += _told(caught.value)
    pipeline.publish("file-download", E004_EVENTS[:1])
    assert pipeline.publisher.spooled() == 1, "nothing is lost by a wrong address"
    output = capfd.readouterr()
    assert_no_password("\n".join([*said, caplog.text, output.out, output.err]))


def _with(problem: str, secured: Secured) -> Backend:
    """Give the addresses with one thing wrong."""
    if problem == "password":
        return secured.backend("stats-worker", password="Sesame%2FOpen%40wrong")
    if problem == "port":
        closed = replace(secured, store="127.0.0.1:1", broker="127.0.0.1:1")
        return closed.backend("stats-worker")
    good = secured.backend("stats-worker")
    if problem == "authority":
        return good
    old, new = ("127.0.0.1", "127.1") if problem == "host" else ("s://", "://")
    assert good.broker_url
    return Backend(good.store_url.replace(old, new), good.broker_url.replace(old, new))


def _told(error: StatsError) -> list[str]:
    """Return all that an error and its causes say, with the variables of our own frames."""
    whole = TracebackException.from_exception(error, capture_locals=True)
    own = [f for f in whole.stack if "/stats_pipeline/" in f.filename]
    plain = TracebackException.from_exception(error)
    return [*map(str, (error, repr(error))), *plain.format(), *(str(f.locals) for f in own)]


def test_a_worker_with_tls_shows_no_password_and_unpickles_nothing(
    trusting: Secured, make: Make, tmp_path: Path
) -> None:
    """Its banner, log, report and remote control; a pickle in its queue does not harm it."""
    backend = trusting.backend("stats-worker")
    assert backend.broker_url
    files = {name: tmp_path / name for name in ("STATS_STORE_URL_FILE", "STATS_BROKER_URL_FILE")}
    files["STATS_STORE_URL_FILE"].write_text(backend.store_url)
    files["STATS_BROKER_URL_FILE"].write_text(backend.broker_url)
    settings = {
        **{name: str(path) for name, path in files.items()},
        "STATS_INDEX_PREFIX": PREFIX,
        "STATS_EVENTS": json.dumps({"file-download": {}}),
    }
    unpickled = tmp_path / "unpickled"
    said = []
    with running_worker(tmp_path, settings) as worker:
        with Connection(backend.broker_url, ssl={"server_hostname": None}) as connection:
            message = Message(
                pickle_that_makes(unpickled),
                content_type="application/x-python-serialize",
                content_encoding="binary",
                headers={"task": UPDATE, "id": "pickled", "lang": "py"},
                correlation_id="pickled",
            )
            connection.default_channel.basic_publish(message, exchange="", routing_key=TICKS)
        worker.wait_until(lambda: "ContentDisallowed" in worker.log())
        done = worker.log().count(f"Task {UPDATE}")
        assert run_celery(tmp_path, settings, "call", UPDATE).returncode == 0
        worker.wait_until(lambda: worker.log().count(f"Task {UPDATE}") > done)
        for command in (["inspect", "conf"], ["inspect", "stats"], ["inspect", "report"]):
            result = run_celery(tmp_path, settings, *command)
            assert result.returncode == 0, result.stderr
            said += [result.stdout, result.stderr]
        said.append(worker.log())
        assert worker.stop() == 0
    said.append(run_celery(tmp_path, settings, "report").stdout)
    assert not unpickled.exists()
    assert_no_password("\n".join(said))
    assert "stats-worker:**@127.0.0.1" in "\n".join(said), "where it connects is still shown"
