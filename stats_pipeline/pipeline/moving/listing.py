"""Listing: which imports there were, and what is left of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stats_pipeline.clock import format_time
from stats_pipeline.model import Filter
from stats_pipeline.pipeline.moving.imports import Imports, ids_of

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class ImportEntry:
    """Be an import into one event type.

    Attributes:
        import_id: by which it can be undone.
        event_type: into which.
        begun_at: when it first wrote something; None for one from before that was noted.
        events: how many events are stored as it brought them; 0 where it was undone.
    """

    import_id: str
    event_type: str
    begun_at: str | None
    events: int

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return asdict(self)


def list_imports(pipeline: Pipeline) -> list[ImportEntry]:
    """Return the imports into all active event types, oldest first."""
    found = []
    for name in pipeline.registries.active_event_types:
        alias = pipeline.registries.event_type(name).alias
        begun = Imports(pipeline.store.state, alias, pipeline.clock).begun()
        events = _events(pipeline, alias) if begun else {}
        for import_id, moment in begun.items():
            begun_at = None if moment is None else format_time(moment)
            found.append(ImportEntry(import_id, name, begun_at, events.get(import_id, 0)))
    return sorted(found, key=lambda entry: (entry.begun_at or "", entry.import_id))


def _events(pipeline: Pipeline, alias: str) -> Counter[str]:
    """Return import -> how many stored events have it in their label."""
    counted: Counter[str] = Counter()
    pipeline.store.refresh([alias])
    with pipeline.store.snapshot([alias]) as events:
        for group in events.groups(Filter(), ["import_ids"], {}):
            for import_id in ids_of(group.key[0]):
                counted[import_id] += group.count
    return counted
