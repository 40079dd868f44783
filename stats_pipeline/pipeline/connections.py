"""Where things live: the store, the queue and the spool that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from stats_pipeline.events.publisher import Publisher
from stats_pipeline.queues.opening import open_queue, open_spool
from stats_pipeline.queues.protocol import Queue
from stats_pipeline.stores.opening import open_store
from stats_pipeline.stores.protocol import Store


class Connections:
    """Open store, queue and publisher on first use, so that an app costs nothing before.

    A web process that only emits events never talks to the store.
    """

    def __init__(self, settings: Mapping[str, Any], instance_path: Path) -> None:
        self._settings = settings
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
    def publisher(self) -> Publisher:
        """Return what sends this process's events; with a spool where the queue is not local."""
        has_broker = bool(self._settings["STATS_BROKER_URL"])
        return Publisher(
            self.queue,
            open_spool(self._spool_folder) if has_broker else None,
            buffer_events=int(self._settings["STATS_BUFFER_EVENTS"]),
        )

    def close(self) -> None:
        """Send what is buffered and let go of what was opened."""
        for name in ("publisher", "store", "queue"):
            if name in self.__dict__:
                self.__dict__[name].close()
