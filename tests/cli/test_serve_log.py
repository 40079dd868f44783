"""What `stats serve` says of what goes wrong while it runs: there is nobody else to say it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from scripts.services.server import wait_until
from tests.celery.workers import environment

SERVE = (sys.executable, "-m", "flask", "--app", "tests.cli.failing", "stats", "serve")
PATIENCE_SECONDS = 60

#: Nothing listens at this port.
DEAD_STORE = {"HOST_STATS_STORE_URL": "http://127.0.0.1:1"}
DEAD_BROKER = {
    "HOST_STATS_BROKER_URL": "amqp://127.0.0.1:1//",
    "HOST_STATS_EVENTS": json.dumps({"file-download": {}}),
}


@dataclass(frozen=True)
class Served:
    """Be a running `stats serve` without -v."""

    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str) -> int:
        """Return the status of the answer."""
        found = re.search(r"Listening at (http://[\d.:]+)", self.log.read_text())
        assert found
        try:
            with urlopen(found[1] + path, timeout=PATIENCE_SECONDS) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code

    def says(self, *texts: str) -> str:
        """Wait until all of these are in its log, and return that."""

        def is_said() -> bool:
            return self.process.poll() is not None or all(t in self.log.read_text() for t in texts)

        wait_until(is_said, timeout_seconds=PATIENCE_SECONDS)
        assert self.process.poll() is None, "it has ended"
        return self.log.read_text()


@contextmanager
def served(folder: Path, settings: Mapping[str, str]) -> Iterator[Served]:
    """Give a server of the failing host; both of its streams are one log, which is shown."""
    log = folder / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*SERVE, "--port", "0"],
            cwd=folder,
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    server = Served(process, log)
    try:
        server.says("Listening at")
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
        sys.stdout.write(log.read_text())


def test_requests_that_wait_for_a_moment_are_no_line_of_the_log(tmp_path: Path) -> None:
    """Of many at once some wait for a thread; and of the first one, where no thread has begun."""
    many = 50
    with served(tmp_path, {}) as server, ThreadPoolExecutor(many) as clients:
        assert list(clients.map(server.get, ["/stats/"] * many)) == [200] * many
        assert "depth" not in server.log.read_text()


def test_A004_15_a_failing_builder_is_logged_with_its_traceback(tmp_path: Path) -> None:
    """The request goes on, and the operator can read which event was not recorded, and why."""
    with served(tmp_path, {}) as server:
        assert server.get("/download") == 200
        log = server.says("Error building event file-download", "LookupError: a bug in a builder")
    assert "Traceback" in log


def test_A004_15_a_broker_that_is_away_is_logged(tmp_path: Path) -> None:
    """Events go to the spool, the request goes on, and both is said."""
    with served(tmp_path, DEAD_BROKER) as server:
        assert server.get("/download") == 200
        server.says("go to the spool", "WARNING Processing failed and is tried again: RabbitMQ")


def test_a_failing_query_class_is_logged_with_its_traceback(tmp_path: Path) -> None:
    """The answer says that the log says why, and it does."""
    with served(tmp_path, {}) as server:
        assert server.get("/stats/broken") == 500
        log = server.says("GET /stats/broken failed", "LookupError: a bug in the query class")
    assert "Traceback" in log


def test_a_failing_aggregation_is_logged_with_its_traceback(tmp_path: Path) -> None:
    """What a background thread can't compute is nowhere else to be seen."""
    with served(tmp_path, {}) as server:
        assert server.get("/view") == 200
        log = server.says("'record-view-agg'", "LookupError: a bug in an aggregator")
    assert "Traceback" in log


def test_a_store_that_is_away_is_one_line_in_each_round(tmp_path: Path) -> None:
    """Not one for each event type and each of the shipped aggregations."""
    with served(tmp_path, DEAD_STORE) as server:
        log = server.says("WARNING Processing failed and is tried again: Elasticsearch at")
    said = [line for line in log.splitlines() if "127.0.0.1:1 " in line]
    assert said
    assert all("Processing failed" in line for line in said)
