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
from stats_pipeline.metrics import Metric, Unique, sketch_field
from stats_pipeline.queries.annotations import Annotations
from stats_pipeline.stores.protocol import Store


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Say where the rows of an aggregation are and what they hold.

    Attributes:
        alias: with the index prefix; what a snapshot is opened on.
        aggregation: who writes them; empty where nobody declares rows of this alias.
        types: field name -> field type; empty where nobody declares rows of this alias.
        interval: how long one row's interval is.
        zone: where days and longer intervals begin.
        dimensions: the fields that tell the rows of one interval apart.
        metrics: the metrics beside `count`.
        imported_index: where those are that were counted elsewhere; None where there can't be any.
        salt_windows: metric -> over which time (UTC) it can tell visitors apart; those that are
            not named have no such limit.
        as_of: the start of the last complete update, None where there was none.
    """

    alias: str
    aggregation: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    interval: IntervalName = "hour"
    zone: tzinfo = UTC
    dimensions: tuple[str, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    imported_index: str | None = None
    salt_windows: Mapping[str, IntervalName] = field(default_factory=dict)
    as_of: datetime | None = None

    @property
    def sketches(self) -> frozenset[str]:
        """Return the fields that are for counting only, and never shown."""
        unique = (name for name, metric in self.metrics.items() if isinstance(metric, Unique))
        return frozenset(map(sketch_field, unique))


@dataclass(frozen=True, slots=True)
class Reader:
    """Give queries what they read from.

    Attributes:
        store: where rows are.
        rows: returns rows by alias name or by aggregation name (one of the two).
        annotations: facts about the values in rows.
    """

    store: Store
    rows: Callable[[str | None, str | None], Rows]
    annotations: Annotations


_reader: ContextVar[Reader] = ContextVar("reader")
_most_buckets: ContextVar[int | None] = ContextVar("most_buckets", default=None)


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


@contextmanager
def at_most(buckets: int) -> Iterator[None]:
    """Let an answer that is made inside have no more buckets than this, at all levels together."""
    token = _most_buckets.set(buckets)
    try:
        yield
    finally:
        _most_buckets.reset(token)


def most_buckets() -> int | None:
    """Return how many buckets an answer may have here; None: as many as there are."""
    return _most_buckets.get()
