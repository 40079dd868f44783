"""The doctor finds real workers: a server in another process, and Celery's."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.services.server import wait_until
from tests.celery.workers import environment, running_worker, worker_settings
from tests.operation.conftest import by_name, failed, records_of_the_doctor
from tests.support import Backend, MakePipeline

ANSWER_SECONDS = 60


def test_a_server_in_another_process_answers(
    embedded: Backend, make_pipeline: MakePipeline, index_prefix: str, tmp_path: Path
) -> None:
    """`stats serve` drains the embedded queue, and the doctor says which process it is."""
    settings = {
        "STATS_STORE_URL": embedded.store_url,
        "STATS_INDEX_PREFIX": index_prefix,
        "STATS_EVENTS": json.dumps({"file-download": {}}),
    }
    log = tmp_path / "serve.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [str(Path(sys.executable).with_name("stats")), "serve", "--port", "0"],
            cwd=tmp_path,
            env=environment(settings),
            stdout=out,
            stderr=out,
        )
    try:
        wait_until(lambda: b"Listening" in log.read_bytes(), timeout_seconds=ANSWER_SECONDS)
        pipeline = make_pipeline(embedded)
        report = pipeline.doctor(ANSWER_SECONDS)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(ANSWER_SECONDS)
    assert failed(report) == set(), log.read_text()
    answer = by_name(report)["worker for file-download"].detail
    assert f"process {server.pid} " in answer
    assert records_of_the_doctor(pipeline) == []


@pytest.mark.servers
def test_a_celery_worker_answers(
    distributed: Backend, make_pipeline: MakePipeline, index_prefix: str, tmp_path: Path
) -> None:
    """Through RabbitMQ and Elasticsearch, with nothing left behind."""
    with (
        worker_settings(distributed, index_prefix, "file-download") as settings,
        running_worker(tmp_path, settings) as worker,
    ):
        pipeline = make_pipeline(distributed)
        report = pipeline.doctor(ANSWER_SECONDS)
        assert failed(report) == set()
        assert records_of_the_doctor(pipeline) == []
        worker.stop()
