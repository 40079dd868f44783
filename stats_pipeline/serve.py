"""Serve an app over HTTP, with processing and aggregation in a thread beside it."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from flask import Flask
from waitress import create_server

from stats_pipeline.errors import ConfigurationError, StatsError
from stats_pipeline.pipeline import Pipeline

logger = logging.getLogger(__name__)

#: How long the thread rests between two rounds.
ROUND_EVERY_SECONDS = 5.0

#: So that aggregations get their turn while events keep coming in.
PROCESS_AT_MOST_SECONDS = 5.0

#: A round that takes longer to end is left behind, which loses nothing: the next one repeats it.
STOP_WITHIN_SECONDS = 10.0


class BackgroundWork:
    """Process events and update aggregations again and again, while the context lasts."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stats-work", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join(STOP_WITHIN_SECONDS)

    def _run(self) -> None:
        pipeline: Pipeline = self._app.extensions["stats_pipeline"]
        while not self._is_over.is_set():
            try:
                with self._app.app_context():
                    pipeline.process_events(time_limit_seconds=PROCESS_AT_MOST_SECONDS)
                    pipeline.update()
            except StatsError as error:
                logger.warning("Processing failed and is tried again: %s", error)
            except Exception:
                logger.exception("Processing failed and is tried again")
            self._is_over.wait(ROUND_EVERY_SECONDS)


def serve(app: Flask, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the app until SIGTERM or SIGINT; call `on_ready` with the URL once it listens.

    Raises:
        ConfigurationError: host and port can't be listened at.
    """
    is_ipv6 = ":" in host
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if is_ipv6 else socket.AF_INET
        )
    except OSError as error:
        raise ConfigurationError(f"Can't listen at {host}:{port}: {error.strerror}") from error
    server = create_server(app, sockets=[listening])
    try:
        with _stopped_by_signals(), BackgroundWork(app):
            name = f"[{host}]" if is_ipv6 else host
            on_ready(f"http://{name}:{listening.getsockname()[1]}/")
            server.run()
    finally:
        server.close()


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        # The server ends its loop on it, as on Ctrl-C.
        raise SystemExit

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
