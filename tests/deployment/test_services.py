"""Each service of docker-compose.yml that runs our image, as a process against real servers.

It has its own command, variables and health check, and only the rights that it needs on RabbitMQ.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from scripts.services.server import free_ports, wait_until
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings
from tests.deployment.files import OURS, argv, environment_of, service
from tests.support import E004_EVENTS, Backend, stored_documents

READY_SECONDS = 60
STOP_SECONDS = 40
UPDATE = (
    "celery",
    "-A",
    "stats_pipeline.worker",
    "call",
    "stats_pipeline.tasks.update_aggregations",
)


@pytest.fixture
def replacing(tmp_path: Path) -> dict[str, str]:
    """Give what stands in a container, and what stands for it here."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    return {"0.0.0.0:8000": address, "localhost:8000": address, "/tmp": str(tmp_path)}


@pytest.fixture
def variables(
    distributed: Backend, broker_urls: dict[str, str], index_prefix: str
) -> dict[str, dict[str, str]]:
    """Give the variables of each service, with the addresses of the servers of the test."""
    others = {name: v for name, v in os.environ.items() if not name.startswith("STATS_")}
    return {
        name: {
            **others,
            **environment_of(name),
            "STATS_STORE_URL": distributed.store_url,
            "STATS_BROKER_URL": broker_urls["web" if name == "web" else "worker"],
            "STATS_INDEX_PREFIX": index_prefix,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOSTNAME": socket.gethostname(),
        }
        for name in OURS
    }


@pytest.fixture
def host(
    distributed: Backend,
    broker_urls: dict[str, str],
    index_prefix: str,
    tmp_path: Path,
) -> Iterator[Pipeline]:
    """Give a pipeline with the rights of a web process."""
    settings = {
        "STATS_STORE_URL": distributed.store_url,
        "STATS_BROKER_URL": broker_urls["web"],
        "STATS_INDEX_PREFIX": index_prefix,
        "STATS_EVENTS": {"file-download": {}},
    }
    pipeline = Pipeline(read_settings(settings), instance_path=str(tmp_path / "host"))
    yield pipeline
    pipeline.close()


@contextmanager
def running(
    name: str, folder: Path, variables: Mapping[str, str], replacing: Mapping[str, str]
) -> Iterator[None]:
    """Run a service until the end; it ends by SIGTERM as with `docker compose stop`."""
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv(service(name)["command"], replacing),
            cwd=folder,
            env=dict(variables),
            stdout=out,
            stderr=out,
        )
    try:
        wait_until(
            lambda: process.poll() is not None or is_healthy(name, folder, variables, replacing),
            timeout_seconds=READY_SECONDS,
        )
        assert process.poll() is None, f"{name} has ended"
        yield
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0
    finally:
        process.kill()
        process.wait(STOP_SECONDS)
        sys.stdout.write(log.read_text(errors="replace"))


def is_healthy(
    name: str, folder: Path, variables: Mapping[str, str], replacing: Mapping[str, str]
) -> bool:
    """Run the health check of a service as Docker does."""
    test = argv(service(name)["healthcheck"]["test"], replacing)
    done = subprocess.run(test, cwd=folder, env=dict(variables), capture_output=True, check=False)
    return done.returncode == 0


def test_the_services_count_what_is_published(
    variables: dict[str, dict[str, str]], replacing: dict[str, str], host: Pipeline, tmp_path: Path
) -> None:
    """All three are well; an event goes from the queue to the answer over HTTP."""
    assert not any(is_healthy(name, tmp_path, variables[name], replacing) for name in OURS)
    host.publish("file-download", E004_EVENTS)
    assert host.publisher.spooled() == 0
    url = f"http://{replacing['0.0.0.0:8000']}/stats/bucket-file-download-total?bucket_id=20"
    with ExitStack() as stack:
        for name in OURS:
            stack.enter_context(running(name, tmp_path, variables[name], replacing))
        wait_until(lambda: len(stored_documents(host)) == 7, timeout_seconds=READY_SECONDS)
        # Beat would, after a minute.
        subprocess.run(
            UPDATE, cwd=tmp_path, env=variables["worker"], check=True, capture_output=True
        )

        def is_counted() -> bool:
            with urlopen(url) as answer:
                return bool(json.load(answer)["value"] == 6)

        wait_until(is_counted, timeout_seconds=READY_SECONDS)
