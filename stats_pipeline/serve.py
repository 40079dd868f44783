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
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

#: How long the thread rests between two rounds.
ROUND_EVERY_SECONDS = 5.0

#: What has to go goes a day later at most.
RETENTION_EVERY_SECONDS = 24 * 60 * 60.0

#: So that aggregations get their turn while events keep coming in.
PROCESS_AT_MOST_SECONDS = 5.0

#: A round that takes longer to end is left behind, which loses nothing: the next one repeats it.
STOP_WITHIN_SECONDS = 10.0


class BackgroundWork:
    """Process events and update aggregations again and again, while the context lasts.

    Once a day, and at the beginning, delete what may not be kept any longer.
    """

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
        retention_at = pipeline.clock.monotonic()
        while not self._is_over.is_set():
            with self._app.app_context(), _tried_again():
                self._catch_up(pipeline)
                if pipeline.clock.monotonic() >= retention_at:
                    retention_at += RETENTION_EVERY_SECONDS
                    pipeline.apply_retention()
            self._is_over.wait(ROUND_EVERY_SECONDS)

    def _catch_up(self, pipeline: Pipeline) -> None:
        # A server that is away is one line of the log in each round, and not one for each event
        # type and aggregation.
        pipeline.store.check()
        with _tried_again():
            pipeline.queue.check()
            pipeline.process_events(
                time_limit_seconds=PROCESS_AT_MOST_SECONDS, should_stop=self._is_over.is_set
            )
        pipeline.update(should_stop=self._is_over.is_set)


@contextmanager
def _tried_again() -> Iterator[None]:
    """Let what goes wrong be said in the log, and nothing else: the next round tries it again."""
    try:
        yield
    except StatsError as error:
        logger.warning("Processing failed and is tried again: %s", error)
    except Exception:
        logger.exception("Processing failed and is tried again")


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
    # Before the app sees it: the server would put a body of a gigabyte on the disk.
    largest_bytes = app.config["MAX_CONTENT_LENGTH"]
    limit = {} if largest_bytes is None else {"max_request_body_size": largest_bytes}
    # It warns of each request that waits for a thread, and at the start, where no thread has begun
    # yet, of the first one.
    get_logger("waitress.queue").setLevel(logging.ERROR)
    server = create_server(app, sockets=[listening], **limit)
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
