"""What one benchmark measures, and how the chain is measured on any store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stats_pipeline.demo.traffic import make_traffic
from stats_pipeline.model import Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings
from stats_pipeline.stores.protocol import Document

EVENT_TYPE = "file-download"
AGGREGATION = "file-download-agg"


@dataclass(frozen=True)
class Measured:
    """One line of the table: so many things in so many seconds, and the same done bare."""

    what: str
    unit: str
    number: int
    seconds: float
    bare: str
    bare_seconds: float

    @property
    def share(self) -> float:
        """The speed as a share of the bare one."""
        return self.bare_seconds / self.seconds


@dataclass(frozen=True)
class ChainTimes:
    """How long the chain took, and what it stored."""

    indexing_seconds: float
    updating_seconds: float
    documents: Sequence[Document]
    rows: int


def make_events(number: int) -> list[dict[str, Any]]:
    """Return downloads with robots and repeat clicks among them, the same ones each time."""
    traffic = make_traffic(number, seed=1)
    return [
        {
            "event_id": click.event_id,
            "timestamp": click.at.isoformat(),
            "ip_address": click.visitor.address,
            "user_agent": click.visitor.agent,
            "user_id": click.visitor.user_id,
            "bucket_id": str(click.record.file.bucket_id),
            "file_id": str(click.record.file.file_id),
            "file_key": click.record.file.key,
            "size": click.record.file.size,
        }
        for click in (*traffic.clicks, *traffic.redelivered)
    ]


def run_chain(events: Sequence[dict[str, Any]], folder: Path, **settings: Any) -> ChainTimes:
    """Take events from the queue into the store and aggregate them; time both."""
    configuration = {"STATS_EVENTS": {EVENT_TYPE: {}}, **settings}
    pipeline = Pipeline(read_settings(configuration), instance_path=str(folder))
    try:
        pipeline.init()
        pipeline.publish(EVENT_TYPE, events)
        indexing = timed(lambda: pipeline.process_events([EVENT_TYPE]))
        updating = timed(lambda: pipeline.update([AGGREGATION]))
        alias = pipeline.registries.event_type(EVENT_TYPE).alias
        rows = pipeline.registries.aggregation(AGGREGATION).alias
        with pipeline.store.snapshot([alias, rows]) as snapshot:
            found = list(snapshot.scan(Filter(), ["timestamp"]))
    finally:
        pipeline.close()
    documents = [document for document in found if document.index.startswith(f"{alias}-")]
    return ChainTimes(indexing, updating, documents, len(found) - len(documents))


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds the work took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
