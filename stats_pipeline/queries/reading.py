"""What a query class of ours reads from: the store, and what is known of an aggregation's rows.

The pipeline says it around each run, so that a query class needs no more than its configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from stats_pipeline.errors import StatsError
from stats_pipeline.intervals import IntervalName
from stats_pipeline.metrics import Metric
from stats_pipeline.stores.protocol import Store


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Say where the rows of an aggregation are and what they hold.

    Attributes:
        alias: with the index prefix; what a snapshot is opened on.
        types: field name -> field type; empty where nobody declares rows of this alias.
        interval: how long one row's interval is.
        zone: where days and longer intervals begin.
        dimensions: the fields that tell the rows of one interval apart.
        metrics: the metrics beside `count`.
        as_of: the start of the last complete update, None where there was none.
    """

    alias: str
    types: Mapping[str, str] = field(default_factory=dict)
    interval: IntervalName = "hour"
    zone: tzinfo = UTC
    dimensions: tuple[str, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Give queries the store, and rows by alias name or by aggregation name (one of the two)."""

    store: Store
    rows: Callable[[str | None, str | None], Rows]


_reader: ContextVar[Reader] = ContextVar("reader")


@contextmanager
def reading(reader: Reader) -> Iterator[None]:
    """Make this the reader of the queries that run inside."""
    token = _reader.set(reader)
    try:
        yield
    finally:
        _reader.reset(token)


def current_reader() -> Reader:
    """Return the reader of the run that this code is part of."""
    try:
        return _reader.get()
    except LookupError:
        raise StatsError(
            "A query reads the store only while it is run by current_stats.query(...)"
        ) from None
