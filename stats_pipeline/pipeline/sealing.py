"""Sealing: close what is older than an event type's `retention_days`, and delete its events.

Three steps, each safe to repeat and each later than the one before: time is closed, so that
workers refuse its events; an hour later, where every aggregation has counted them, it is sealed,
so that its rows are final; then the indices go that no row needs any more, always as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from stats_pipeline.aggregations.counted import Counted
from stats_pipeline.clock import format_time
from stats_pipeline.intervals import Period, period_of
from stats_pipeline.model import Filter
from stats_pipeline.pipeline.moving.revisions import Revisions
from stats_pipeline.pipeline.references import why_kept
from stats_pipeline.registry import EventDefinition
from stats_pipeline.reports import Due
from stats_pipeline.stores import marks
from stats_pipeline.stores.indices import DELETED, GONE, KIND, RETENTION, EventIndices
from stats_pipeline.stores.protocol import Record
from stats_pipeline.stores.seals import GRACE, Seal, change_seal, read_seal
from stats_pipeline.text import get_logger

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

logger = get_logger(__name__)

_SealChange = Callable[[Seal], Seal]


@dataclass(slots=True)
class Sealed:
    """Say what became of one event type, or would.

    Attributes:
        seal: what is closed and sealed now.
        events: index -> how many events went with it.
        due: index -> what goes with it, and when, though not yet.
        kept: index -> why it stays though its events are closed.
        entries: how many entries of the ledger went.
        revisions: how many earlier revisions of events went, which were kept for an undo.
    """

    seal: Seal
    events: dict[str, int] = field(default_factory=dict)
    due: dict[str, Due] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    entries: int = 0
    revisions: int = 0


class Sealing:
    """Seal the events of one type, and delete those that nobody needs.

    Raises:
        DefinitionError: an aggregation of these events is wrong, or does not fit to its rows.
    """

    def __init__(self, pipeline: Pipeline, definition: EventDefinition, *, dry_run: bool) -> None:
        self._store = pipeline.store
        self._ledger = pipeline.ledger
        self._now = pipeline.clock.now()
        self._definition = definition
        self._interval = definition.config.index_interval
        self._dry_run = dry_run
        self._indices = EventIndices(self._store, definition.template, self._interval)
        self._revisions = Revisions(self._store.state, definition.alias)
        self._counted: list[Counted] = []
        for name in pipeline.registries.aggregations_of(definition.name):
            aggregation = pipeline.registries.aggregation(name)
            # What it has counted, and needs, is only known where its configuration is that of its
            # rows.
            pipeline.updating(aggregation).check()
            self._counted.append(Counted(aggregation, self._store))

    def apply(self, retention_days: int, *, before: datetime) -> Sealed:
        """Seal what was closed, close what has become too old, and delete.

        Args:
            retention_days: of the event type.
            before: entries of the ledger that are younger than this stay.
        """
        done = Sealed(read_seal(self._store.state, self._definition.alias))
        self._seal(done)
        self._close(done, retention_days)
        later, why = self._sealable(done.seal)
        for record, period in list(self._indices.until(done.seal.closing_before or self._now)):
            if done.seal.is_sealed(period):
                reason = self._needed(record, period, done.seal)
                if not reason:
                    self._delete(record, period, done)
            elif DELETED in record.body:
                continue  # a loss, of which nothing is left to delete
            else:
                reason = self._needed(record, period, later) if later.is_sealed(period) else why
                if not reason:
                    done.due[record.key] = self._due(record, done.seal)
            if reason:
                done.kept[record.key] = reason
        self._forget_revisions(done)
        if done.seal.sealed_before is not None:
            done.entries = self._ledger.expire(
                self._definition.name,
                latest_before=done.seal.sealed_before,
                before=before,
                dry_run=self._dry_run,
            )
        return done

    def _seal(self, done: Sealed) -> None:
        """Seal what is closed for long enough, as far as all is counted."""
        if not self._is_fresh(done.seal):
            bound = self._sealable(done.seal)[0].sealed_before
            if bound is not None:
                self._change(done, lambda seal: _sealed(seal, bound))

    def _sealable(self, seal: Seal) -> tuple[Seal, str]:
        """Return the seal as far as all that is closed is counted, and what is in the way."""
        bound, why = seal.closing_before, ""
        if bound is None or bound == seal.sealed_before:
            return seal, why
        for counted in self._counted:
            hour = counted.first_uncounted(bound, seal)
            if hour is not None:
                bound = period_of(hour, self._interval).start
                why = (
                    f"{counted.title} has not counted its events from {format_time(hour)} on: see "
                    "`stats update`"
                )
        return _sealed(seal, bound), why

    def _close(self, done: Sealed, retention_days: int) -> None:
        oldest = self._now - timedelta(days=retention_days)
        wanted = period_of(oldest, self._interval).start

        def close(seal: Seal) -> Seal:
            if seal.closing_before is not None and seal.closing_before >= wanted:
                return seal
            return replace(seal, closing_before=wanted, closing_since=self._now)

        # What is being closed is sealed first: else it would never be old enough.
        if not self._is_fresh(done.seal):
            self._change(done, close)

    def _change(self, done: Sealed, change: _SealChange) -> None:
        if self._dry_run:
            done.seal = change(done.seal)
        else:
            done.seal = change_seal(self._store.state, self._definition.alias, change)

    def _is_fresh(self, seal: Seal) -> bool:
        return seal.closing_since is not None and self._now - seal.closing_since < GRACE

    def _due(self, record: Record, seal: Seal) -> Due:
        earliest = (seal.closing_since or self._now) + GRACE
        return Due(events=self._count(record.key), earliest=format_time(earliest))

    def _needed(self, record: Record, period: Period, seal: Seal) -> str:
        """Return why this index has to stay, empty where it may go."""
        if DELETED in record.body:
            return ""
        for counted in self._counted:
            if interval := counted.unsealed(period, seal):
                return (
                    f"{counted.title} needs it for what begins at {format_time(interval.start)} "
                    "and is not sealed yet"
                )
        if referred := why_kept(self._store.state, self._definition.alias, period):
            return referred
        uuids = self._store.index_uuids([record.key])
        if uuids.get(record.key, record.body["uuid"]) != record.body["uuid"]:
            return (
                "it was replaced by another index, which is not ours to delete: see "
                f"`stats events acknowledge-loss {record.key}`"
            )
        return ""

    def _delete(self, record: Record, period: Period, done: Sealed) -> None:
        name, is_new = record.key, DELETED not in record.body
        if is_new:
            done.events[name] = self._count(name)
        if self._dry_run:
            return
        # First the tombstone: from here on nobody computes anything from this index.
        tombstone = self._indices.bury(record, RETENTION) if is_new else record
        if tombstone is None:
            return  # another run is at it
        if self._store.index_uuids([name]).get(name) == record.body["uuid"]:
            self._store.delete_indices([name])
        if is_new:
            logger.warning("Retention deleted %s with %d events", name, done.events[name])
        if self._clear_marks(period, done.seal):
            self._store.state.swap([replace(tombstone, tags=frozenset({GONE}))])

    def _forget_revisions(self, done: Sealed) -> None:
        """Delete what imports have kept of events of which the index is deleted."""
        deleted = dict.fromkeys(done.events, True)
        for lower in self._revisions.all():
            if lower.index not in deleted:
                deleted[lower.index] = self._is_deleted(lower.index, done.seal)
            if deleted[lower.index]:
                done.revisions += len(lower.events)
                if not self._dry_run:
                    self._revisions.set(replace(lower, events=()))

    def _is_deleted(self, index: str, seal: Seal) -> bool:
        (record,) = self._store.state.get(KIND, [index])
        if record is None or record.time is None or DELETED not in record.body:
            return False
        return seal.is_sealed(period_of(record.time, self._interval))

    def _count(self, name: str) -> int:
        self._store.refresh([name])
        with self._store.snapshot([name]) as events:
            return events.count(Filter())

    def _clear_marks(self, period: Period, seal: Seal) -> bool:
        """Remove marks that say nothing any more; tell whether none is left."""
        found = self._store.state.find(
            marks.KIND, group=self._definition.alias, start=period.start, end=period.end
        )
        left = 0
        for mark in found:
            is_needed = any(counted.is_dirty(mark, seal) for counted in self._counted)
            left += is_needed or not self._store.state.delete(mark)
        return not left


def _sealed(seal: Seal, bound: datetime) -> Seal:
    """Return the seal up to there; it never goes back."""
    if seal.sealed_before is not None and seal.sealed_before >= bound:
        return seal
    lost = tuple(period for period in seal.lost if period.end > bound)
    return replace(seal, sealed_before=bound, lost=lost)
