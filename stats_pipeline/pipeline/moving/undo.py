"""Undo: take back what one import brought.

The rule: an event stays, in its highest revision, as long as something else brought it: the queue,
or an import that is not undone. So an event that was there before the import survives, as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from stats_pipeline.clock import format_time
from stats_pipeline.errors import InvalidParameter, nearest
from stats_pipeline.model import Event, Filter
from stats_pipeline.pipeline.moving.imports import Imports, ids_of, label_without
from stats_pipeline.pipeline.moving.removal import Progress, Removal
from stats_pipeline.pipeline.moving.revisions import Lower, Revisions, revision_of
from stats_pipeline.registry import EventDefinition
from stats_pipeline.stores.protocol import Delete, Document
from stats_pipeline.stores.seals import read_seal

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline


@dataclass(slots=True)
class UndoReport:
    """Say what became of the events of an import.

    Attributes:
        import_id: of the import.
        removed: events that only this import had brought.
        restored: events that are back at a lower revision.
        kept: events that another import has brought as well, in this revision or a higher one.
        sealed_before: event type -> time before which its events are deleted (`retention_days`).
    """

    import_id: str
    removed: int = 0
    restored: int = 0
    kept: int = 0
    sealed_before: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


def undo_import(pipeline: Pipeline, import_id: str, progress: Progress) -> UndoReport:
    """Take back an import, of all active event types; may be repeated, also after a crash.

    Raises:
        InvalidParameter: there was no such import.
        LeaseLost: this process was stopped for so long that an update may have gone on.
    """
    report = UndoReport(import_id)
    known: set[str] = set()
    is_found = False
    for name in pipeline.registries.active_event_types:
        definition = pipeline.registries.event_type(name)
        imports = Imports(pipeline.store.state, definition.alias, pipeline.clock)
        labels = imports.labels(import_id)
        known.update(imports.begun())
        if labels is not None:
            is_found = True
            _Undo(pipeline, definition, imports, report).run(labels, progress)
            bound = read_seal(pipeline.store.state, definition.alias).sealed_before
            if bound is not None:
                report.sealed_before[name] = format_time(bound)
    if not is_found:
        raise InvalidParameter(
            f"There was no import {import_id[:120]!r}{nearest(import_id, known)}",
            parameter="import_id",
        )
    return report


class _Undo:
    def __init__(
        self,
        pipeline: Pipeline,
        definition: EventDefinition,
        imports: Imports,
        report: UndoReport,
    ) -> None:
        self._store = pipeline.store
        self._imports = imports
        self._removal = Removal(pipeline, definition)
        self._revisions = Revisions(pipeline.store.state, definition.alias)
        self._report = report

    def run(self, labels: Sequence[str], progress: Progress) -> None:
        with self._removal.alone() as check:
            self._run(labels, progress, check)

    def _run(self, labels: Sequence[str], progress: Progress, check: Callable[[], None]) -> None:
        for lower in self._revisions.all():
            remaining = self._finish_restoring(lower)
            events = list(self._without(remaining.events))
            if events != remaining.events:
                self._revisions.set(replace(remaining, events=events))
                self._report.kept += self._is_held_higher(lower)
        for documents in self._removal.find(Filter().where("import_ids", labels), progress):
            check()
            self._undo(documents)

    def _undo(self, documents: Sequence[Document]) -> None:
        kept = [document for document in documents if self._rest(document.body) is not None]
        self._put(kept, {d.id: {**d.body, "import_ids": self._rest(d.body)} for d in kept})
        going = [document for document in documents if self._rest(document.body) is None]
        lower = self._revisions.of([document.id for document in going])
        removed = [document for document in going if document.id not in lower]
        self._removal.withdraw(removed)
        self._removal.write([Delete(d.index, d.id, d.version) for d in removed])
        restored = [document for document in going if document.id in lower]
        self._put(restored, {d.id: lower[d.id].events[-1] for d in restored})
        for document in restored:
            self._finish_restoring(lower[document.id])
        self._report.kept += len(kept)
        self._report.removed += len(removed)
        self._report.restored += len(restored)

    def _put(self, documents: Sequence[Document], bodies: Mapping[str, Event]) -> None:
        """Write these anew; before, note labels that no import has made: of what is left of one."""
        for label in {body["import_ids"] for body in bodies.values() if "import_ids" in body}:
            self._imports.note(label)
        self._removal.put(documents, lambda document: bodies[document.id])

    def _finish_restoring(self, lower: Lower) -> Lower:
        """Mark the hours of an event that was put back, and only then forget that it was lower."""
        (stored,) = self._store.get(lower.index, [lower.id])
        if stored is None or not lower.events or _place(stored.body) != _place(lower.events[-1]):
            return lower
        self._removal.touch([stored])
        remaining = replace(lower, events=lower.events[:-1])
        self._revisions.set(remaining)
        return remaining

    def _is_held_higher(self, lower: Lower) -> bool:
        """Tell whether the event is stored in a revision that this import has not brought."""
        (stored,) = self._store.get(lower.index, [lower.id])
        return stored is not None and self._report.import_id not in ids_of(
            stored.body.get("import_ids")
        )

    def _without(self, events: Sequence[Event]) -> Iterator[Event]:
        """Yield the lower revisions that something else than this import has brought."""
        for event in events:
            label = event.get("import_ids")
            rest = self._rest(event)
            if label is None:
                yield event
            elif rest is not None:
                yield {**event, "import_ids": rest}

    def _rest(self, event: Any) -> str | None:
        return label_without(event.get("import_ids"), self._report.import_id)


def _place(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what an event that was put back has for ever; its flags may be set anew."""
    return event["event_id"], event["timestamp"], revision_of(event), event.get("import_ids")
