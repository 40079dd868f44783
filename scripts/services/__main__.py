"""The command line: up, down, status, clean, run COMMAND (with the servers up while it runs)."""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.services.elasticsearch import (
    install_elasticsearch,
    is_elasticsearch_healthy,
    remove_elasticsearch,
    start_elasticsearch,
)
from scripts.services.rabbitmq import install_rabbitmq, is_rabbitmq_healthy, start_rabbitmq
from scripts.services.server import Server, ServicesError, load

FOLDER = Path(__file__).parents[2] / ".services"
ENVIRONMENT_FILE = FOLDER / "env"


@dataclass(frozen=True)
class Service:
    """A kind of server, and the environment variable by which the caller may give one."""

    name: str
    variable: str
    install: Callable[[], None]
    start: Callable[[Path], Server]
    is_healthy: Callable[[str], bool]

    @property
    def folder(self) -> Path:
        """Give the folder of this checkout's own server."""
        return FOLDER / self.name

    def running(self) -> Server | None:
        """Give this checkout's own server if it runs."""
        server = load(self.folder)
        return server if server is not None and server.is_running() else None


SERVICES = (
    Service(
        "elasticsearch",
        "STATS_TEST_ELASTICSEARCH_URL",
        install_elasticsearch,
        start_elasticsearch,
        is_elasticsearch_healthy,
    ),
    Service(
        "rabbitmq",
        "STATS_TEST_AMQP_URL",
        install_rabbitmq,
        start_rabbitmq,
        is_rabbitmq_healthy,
    ),
)


def up() -> list[Service]:
    """Have every service running and `.services/env` written; return those that were started."""
    urls: dict[str, str] = {}
    missing: list[Service] = []
    for service in SERVICES:
        url = _url_of_running(service)
        if url is None:
            missing.append(service)
        else:
            urls[service.variable] = url
    for service in missing:
        service.install()
    try:
        with ThreadPoolExecutor() as pool:
            servers = [pool.submit(service.start, service.folder) for service in missing]
        for service, server in zip(missing, servers, strict=True):
            urls[service.variable] = server.result().url
    except BaseException:
        down(missing)
        raise
    lines = [f"{service.variable}={urls[service.variable]}" for service in SERVICES]
    ENVIRONMENT_FILE.write_text("\n".join(lines) + "\n")
    return missing


def down(services: list[Service]) -> None:
    """Stop this checkout's own servers, never anybody else's."""
    for service in services:
        server = load(service.folder)
        if server is not None:
            server.stop()
    ENVIRONMENT_FILE.unlink(missing_ok=True)


def clean() -> None:
    """Stop this checkout's own servers and remove all that they have written."""
    down(list(SERVICES))
    remove_elasticsearch(FOLDER / "elasticsearch")
    shutil.rmtree(FOLDER)


def run(command: list[str]) -> int:
    """Run a command with the servers up, stop those that it needed; return its exit code."""
    with _lock():
        started = up()
    try:
        given = dict(line.split("=", 1) for line in ENVIRONMENT_FILE.read_text().splitlines())
        return subprocess.run(command, env=os.environ | given, check=False).returncode
    finally:
        if started:
            with _lock():
                down(started)


def status() -> int:
    """Print where each server is; return 1 if one is missing."""
    missing = 0
    for service in SERVICES:
        server = service.running()
        given = os.environ.get(service.variable)
        url = given or (server.url if server else None)
        is_healthy = url is not None and service.is_healthy(url)
        whose = "given" if given else f"pid {server.pid}" if server else "not started"
        print(f"{service.name}: {url or '-'} ({whose}, {'healthy' if is_healthy else 'no answer'})")
        missing += not is_healthy
    return 1 if missing else 0


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m scripts.services", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("up", "down", "status", "clean"):
        verbs.add_parser(verb)
    verbs.add_parser("run").add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    try:
        return _do(arguments)
    except ServicesError as error:
        print(f"services: {error}", file=sys.stderr)
        return 1


def _do(arguments: argparse.Namespace) -> int:
    if arguments.verb == "status":
        return status()
    if arguments.verb == "run":
        return run(arguments.command)
    with _lock():
        if arguments.verb == "up":
            up()
            print(ENVIRONMENT_FILE.read_text(), end="")
        elif arguments.verb == "down":
            down(list(SERVICES))
        else:
            clean()
    return 0


def _url_of_running(service: Service) -> str | None:
    given = os.environ.get(service.variable)
    if given:
        if not service.is_healthy(given):
            raise ServicesError(f"{service.variable}={given} does not answer: correct or unset it")
        return given
    server = service.running()
    return server.url if server is not None and service.is_healthy(server.url) else None


@contextmanager
def _lock() -> Iterator[None]:
    """Let one caller at a time start or stop servers of this checkout."""
    with (FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
