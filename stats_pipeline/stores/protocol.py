"""The store's protocol: what events, aggregations and queries may ask of it.

Three groups of documents live in a store. *Documents* (events, rows, dead letters) are flat dicts
in indices made from index templates. *State records* (marks, leases, salts, ...) are small and
change one at a time, by compare-and-swap. A *snapshot* reads documents as they were at one moment.
An implementation is safe to use from several threads, processes, and after a fork.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from stats_pipeline.metrics import Metric
from stats_pipeline.model import Filter
from stats_pipeline.templates import IndexTemplate


@dataclass(frozen=True, slots=True)
class Put:
    """Write a document; with a version only if that is higher than the stored document's.

    With `is_same` the stored version may also be the same: what is written says more of the very
    document that is stored.
    """

    index: str
    id: str
    body: Mapping[str, Any]
    version: int | None = None
    is_same: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a document; one that is not there is removed already.

    With a version, only a document of this version or a lower one. What has the same version can
    be put again with `is_same`, and a lower one as well.
    """

    index: str
    id: str
    version: int | None = None


Operation = Put | Delete


class Verdict(Enum):
    """Say what became of one operation of a bulk, and so what to do next."""

    DONE = "done"
    DUPLICATE = "duplicate"  # the stored document has the same version or a higher one
    RETRY = "retry"  # overload or outage: the same operation may work later
    FAULT = "fault"  # an operator must act: privileges, missing index, shard limit
    NEVER = "never"  # this document can't be stored as it is


@dataclass(frozen=True, slots=True)
class ItemResult:
    """Be the verdict on one operation, with the store's reason where it is not `DONE`."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """Be a stored document; times in its body have the text form of `clock.format_time`.

    `version` is the one that it was put with, something of the store's own where there was none.
    """

    index: str
    id: str
    body: Mapping[str, Any]
    version: int | None = None


#: How many distinct values there are, and their sketch; of none there is no sketch.
Distinct = tuple[int, str | None]


@dataclass(frozen=True, slots=True)
class Group:
    """Be what a store says of the documents that share the values `key`.

    Attributes:
        key: one value per field grouped by; times are text as in `clock.format_time`.
        count: how many documents.
        values: metric name -> number or value; for `Unique` it is a `Distinct`.
        newest: the body of the newest document, where it was asked for.
    """

    key: tuple[Any, ...]
    count: int
    values: Mapping[str, Any]
    newest: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Be one state record, known by (kind, key).

    Attributes:
        kind: what it is, as ``mark`` or ``lease``.
        key: unique within its kind, up to 400 characters.
        group: what records of a kind are searched by, as the event type of a mark.
        time: what records are ranged by, where they have a time.
        tags: a set of words that records are searched by.
        body: JSON values that are never searched.
        version: opaque; None for one that was never read from the store.
    """

    kind: str
    key: str
    group: str = ""
    time: datetime | None = None
    tags: frozenset[str] = frozenset()
    body: Mapping[str, Any] = field(default_factory=dict)
    version: Any = None


class State(Protocol):
    """Keep state records; reads by key always see the last write (realtime)."""

    def get(self, kind: str, keys: Sequence[str]) -> list[Record | None]:
        """Return the records of these keys, in their order, None where there is none."""
        ...

    def put(self, records: Sequence[Record]) -> None:
        """Write these records whatever was there before; durable when it returns."""
        ...

    def create(self, record: Record) -> bool:
        """Write the record if there is none of its kind and key; tell whether it was written."""
        ...

    def swap(self, records: Sequence[Record]) -> list[bool]:
        """Write each record if the stored one still has its version; tell which were written."""
        ...

    def delete(self, record: Record) -> bool:
        """Remove the record if the stored one still has its version; tell whether it was."""
        ...

    def find(
        self,
        kind: str,
        *,
        group: str | None = None,
        lacking: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[Record]:
        """Yield records by time, then key, seeing every write that had returned before the call.

        Args:
            kind: only records of this kind.
            group: only records of this group.
            lacking: only records without this tag.
            start: only records with a time at or after it.
            end: only records with a time before it.
        """
        ...

    def expunge(self) -> None:
        """Remove from the disk what was written over or deleted, as far as the store can do it.

        What was written over within the last few minutes may need a second call after them.

        Raises:
            StoreUnavailable: something is in the way; the same call may work later.
        """
        ...


class Snapshot(Protocol):
    """Read the documents of some indices as they were when it was opened, all or an error.

    Indices that don't exist have no documents. An answer that does not cover every shard raises
    `PartialResult`. Memory does not grow with the number of documents or groups.
    """

    def count(self, where: Filter) -> int:
        """Return how many documents the filter keeps."""
        ...

    def scan(self, where: Filter, order_by: Sequence[str]) -> Iterator[Document]:
        """Yield the documents that the filter keeps, ascending by these fields (nulls first)."""
        ...

    def groups(
        self,
        where: Filter,
        by: Sequence[str],
        metrics: Mapping[str, Metric],
        *,
        newest_by: Sequence[str] = (),
    ) -> Iterator[Group]:
        """Yield one group per combination of values of `by`, ascending.

        Documents that lack one of these fields are in no group. `First` and `Last` go by
        (`timestamp`, `event_id`). An empty `by` yields one group, also of no documents. All metrics
        come from one reading of the documents, as far as its answer is not too large.

        Args:
            where: which documents.
            by: the fields to group by (keyword, number, boolean or date).
            metrics: what to compute for each group.
            newest_by: gives each group its newest document: the last one by these fields.
        """
        ...


class Store(Protocol):
    """Keep documents and state; errors are `StoreError` and its children."""

    state: State

    def put_template(self, template: IndexTemplate) -> None:
        """Install or update a template and add its new fields to the indices of its alias."""
        ...

    def create_index(self, name: str, template: IndexTemplate, *, aliased: bool) -> str:
        """Create the index if it is missing and return its UUID; two callers get the same one."""
        ...

    def index_uuids(self, names: Sequence[str]) -> dict[str, str]:
        """Return the UUIDs of those of these indices that exist."""
        ...

    def swap_alias(self, alias: str, *, add: Sequence[str], remove: Sequence[str]) -> None:
        """Move an alias from some indices to others in one step; readers never see neither."""
        ...

    def delete_indices(self, names: Sequence[str]) -> None:
        """Delete these indices and their documents; missing ones are deleted already."""
        ...

    def bulk(self, operations: Sequence[Operation]) -> list[ItemResult]:
        """Do these operations and return one verdict for each, in order; never creates an index.

        What was `DONE` is durable when it returns. Raises only where there is no answer.
        """
        ...

    def get(self, index: str, ids: Sequence[str]) -> list[Document | None]:
        """Return documents by id, in order, seeing the last write (realtime)."""
        ...

    def refresh(self, names: Sequence[str]) -> None:
        """Make all that was written to these indices or aliases visible to new snapshots."""
        ...

    def snapshot(self, names: Sequence[str]) -> AbstractContextManager[Snapshot]:
        """Open a snapshot of these indices or aliases."""
        ...

    def check(self) -> str:
        """Return one line about the store's health; raise where it can't work."""
        ...

    def close(self) -> None:
        """Let go of connections; the store may be used again and opens new ones."""
        ...
