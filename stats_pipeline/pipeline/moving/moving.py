"""What moves: exports, imports and what undoes them, erasure, and history from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from stats_pipeline.pipeline.moving.erase import ErasureReport, erase
from stats_pipeline.pipeline.moving.export import Export, Progress, When
from stats_pipeline.pipeline.moving.history import History
from stats_pipeline.pipeline.moving.importing import EventsImport
from stats_pipeline.pipeline.moving.listing import ImportEntry, list_imports
from stats_pipeline.pipeline.moving.sources import SourceEntry, list_sources
from stats_pipeline.pipeline.moving.undo import UndoReport, undo_import

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline


def _nowhere(done: int, total: int) -> None:
    """Show nothing."""


class Moving:
    """Move events; made by `Pipeline.moving`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def export(
        self,
        event_type: str,
        start: When = None,
        end: When = None,
        *,
        progress: Progress = _nowhere,
    ) -> Iterator[bytes]:
        """Return the stored events of a type as lines, oldest first (see `Export`)."""
        days = self.exporting(event_type, start, end).days(progress)
        return chain.from_iterable(lines for _, lines in days)

    def exporting(self, event_type: str, start: When = None, end: When = None) -> Export:
        """Return what exports events day by day, so that it can be gone on with (see `Export`)."""
        return Export(self._pipeline, event_type, start, end)

    def importing(self, import_id: str, event_type: str | None = None) -> EventsImport:
        """Return what takes lines of events in, as an export wrote them (see `EventsImport`)."""
        return EventsImport(self._pipeline, import_id, event_type)

    def imports(self) -> list[ImportEntry]:
        """Return the imports into all active event types, oldest first (see `ImportEntry`)."""
        return list_imports(self._pipeline)

    def history(self, aggregation: str, source: str) -> History:
        """Return what imports and deletes rows that were counted elsewhere (see `History`)."""
        return History(self._pipeline, aggregation, source)

    def sources(self) -> list[SourceEntry]:
        """Return the sources of imported rows, by aggregation (see `SourceEntry`)."""
        return list_sources(self._pipeline)

    def undo_import(self, import_id: str, *, progress: Progress = _nowhere) -> UndoReport:
        """Take back what an import brought (see `undo_import`)."""
        return undo_import(self._pipeline, import_id, progress)

    def erase(
        self,
        event_type: str,
        *,
        dry_run: bool = False,
        progress: Progress = _nowhere,
        **person: str,
    ) -> ErasureReport:
        """Erase one person's events, by `user_id`, `session_id` or `ip_address` and `user_agent`.

        Totals follow at the next update (see `erase`).
        """
        return erase(self._pipeline, event_type, person, dry_run=dry_run, progress=progress)
