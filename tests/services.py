"""Servers of a test's own, to stop, kill and start again without hurting any other test."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.services import Server, start_elasticsearch, start_rabbitmq
from scripts.services.elasticsearch import remove_elasticsearch


class PrivateServer:
    """A real server that may be hurt. Its url and its data outlive every stop and kill."""

    def __init__(self, start: Callable[[Path], Server], folder: Path) -> None:
        self._start = start
        self._folder = folder
        self._server = start(folder)

    @property
    def url(self) -> str:
        """Give the url, the same after each start."""
        return self._server.url

    def stop(self) -> None:
        """End it properly."""
        self._server.stop()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._server.kill()

    def start(self) -> None:
        """Start it again and return when it is healthy."""
        self._server = self._start(self._folder)

    def freeze(self) -> None:
        """Make it stop answering without closing a connection."""
        self._server.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self._server.signal(signal.SIGCONT)


@pytest.fixture
def private_rabbitmq(tmp_path: Path) -> Iterator[PrivateServer]:
    """Give a RabbitMQ node that belongs to this test alone."""
    server = PrivateServer(start_rabbitmq, tmp_path / "rabbitmq")
    yield server
    server.kill()


@pytest.fixture
def private_elasticsearch(tmp_path: Path) -> Iterator[PrivateServer]:
    """Give an Elasticsearch that belongs to this test alone."""
    folder = tmp_path / "elasticsearch"
    server = PrivateServer(start_elasticsearch, folder)
    yield server
    server.kill()
    remove_elasticsearch(folder)
