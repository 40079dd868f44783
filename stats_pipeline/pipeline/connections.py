"""Where things live: the store, the queue and the spool that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any

from stats_pipeline.clock import Clock
from stats_pipeline.events.publisher import Publisher
from stats_pipeline.queues.opening import open_queue, open_spool
from stats_pipeline.queues.protocol import Queue, Spool
from stats_pipeline.stores.opening import open_store
from stats_pipeline.stores.protocol import Store


class Connections:
    """Open store, queue and publisher on first use, so that an app costs nothing before.

    A web process that only emits events never talks to the store.
    """

    def __init__(self, settings: Mapping[str, Any], instance_path: Path, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._embedded_url = f"sqlite:///{instance_path / 'stats.db'}"
        self._spool_folder = Path(settings["STATS_SPOOL"] or instance_path)

    @property
    def store_url(self) -> str:
        """Return the URL of the store: what is set, else the embedded file."""
        return self._settings["STATS_STORE_URL"] or self._embedded_url

    @property
    def queue_url(self) -> str:
        """Return the URL of the queue: the broker, else the file of the embedded store."""
        broker_url: str | None = self._settings["STATS_BROKER_URL"]
        if broker_url:
            return broker_url
        return self.store_url if self.store_url.startswith("sqlite:") else self._embedded_url

    @cached_property
    def store(self) -> Store:
        """Return the store."""
        return open_store(self.store_url, index_prefix=self._settings["STATS_INDEX_PREFIX"])

    @cached_property
    def queue(self) -> Queue:
        """Return the queue."""
        return open_queue(self.queue_url)

    @cached_property
    def spool(self) -> Spool | None:
        """Return the spool, None where the queue is a local file itself."""
        if not self._settings["STATS_BROKER_URL"]:
            return None
        limit_bytes = self._settings["STATS_SPOOL_MEGABYTES"] * 1_000_000
        return open_spool(self._spool_folder, limit_bytes=limit_bytes, clock=self._clock)

    @cached_property
    def publisher(self) -> Publisher:
        """Return what sends this process's events."""
        buffer_events = int(self._settings["STATS_BUFFER_EVENTS"])
        return Publisher(self.queue, self.spool, buffer_events=buffer_events)

    def lent(self) -> Connections:
        """Return the same store and queue, with a publisher that has no spool."""
        lent = copy(self)
        lent.store, lent.queue = self.store, self.queue
        lent.publisher = Publisher(self.queue, None, buffer_events=1)
        return lent

    def close(self) -> None:
        """Send what is buffered and let go of what was opened."""
        for name in ("publisher", "spool", "store", "queue"):
            if (opened := self.__dict__.get(name)) is not None:
                opened.close()


class Places:
    """Say where things live; the part of a pipeline that knows its connections."""

    _connections: Connections

    @property
    def store_url(self) -> str:
        """Return the URL of the store."""
        return self._connections.store_url

    @property
    def queue_url(self) -> str:
        """Return the URL of the queue."""
        return self._connections.queue_url

    @property
    def store(self) -> Store:
        """Return the store, opened on first use."""
        return self._connections.store

    @property
    def queue(self) -> Queue:
        """Return the queue, opened on first use."""
        return self._connections.queue

    @property
    def spool(self) -> Spool | None:
        """Return the spool, None where the queue is a local file itself."""
        return self._connections.spool

    @property
    def publisher(self) -> Publisher:
        """Return what sends this process's events."""
        return self._connections.publisher
