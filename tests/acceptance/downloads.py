"""The generator of the closest peer's tests: so many downloads of so many files on each day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from stats_pipeline.model import Event, Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.protocol import Document
from tests.support import BROWSER

AGGREGATION = "file-download-agg"
SIZE_BYTES = 9_000


def download(time: str, file_id: str = "f-1", **fields: Any) -> Event:
    """Return a download by the one visitor that there is."""
    return {
        "timestamp": time,
        "user_id": "u1",
        "user_agent": BROWSER,
        "bucket_id": "20",
        "file_id": file_id,
        "file_key": f"{file_id}.pdf",
        "size": SIZE_BYTES,
        **fields,
    }


def downloads(first: str, last: str, *, files: int = 1, per_day: int = 1) -> list[Event]:
    """Return so many downloads of each file on each day, the last day included, a minute apart."""
    days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    midnight = datetime.fromisoformat(first).replace(tzinfo=UTC)
    return [
        download((midnight + timedelta(days=day, minutes=minute)).isoformat(), f"f-{number}")
        for day in range(days)
        for number in range(1, files + 1)
        for minute in range(per_day)
    ]


def take(pipeline: Pipeline, events: Sequence[Event]) -> None:
    """Publish and process downloads; none may become a dead letter."""
    pipeline.publish("file-download", events)
    report = pipeline.process_events(["file-download"])
    assert (report.error, report.dead) == ("", 0), pipeline.dead_letters.list()


def update(pipeline: Pipeline, **asked: Any) -> dict[str, int]:
    """Update the aggregation, which must be complete; return the numbers that are not 0."""
    report = pipeline.update([AGGREGATION], **asked)
    assert report.is_complete, report
    return {
        name: number
        for name, number in report.aggregations[AGGREGATION].as_dict().items()
        if isinstance(number, int) and number
    }


def row_documents(pipeline: Pipeline, name: str = AGGREGATION) -> list[Document]:
    """Return the rows of an aggregation by file as readers see them, by day and file."""
    alias = pipeline.registries.aggregation(name).alias
    with pipeline.store.snapshot([alias]) as rows:
        return list(rows.scan(Filter(), ["timestamp", "unique_id"]))


def count_by_day(pipeline: Pipeline) -> dict[str, int]:
    """Return day -> downloads of a day on which one file was downloaded."""
    return {row.body["start"][:10]: row.body["count"] for row in row_documents(pipeline)}
