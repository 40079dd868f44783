"""Import: read lines of events, and bring them into the store in batches.

A batch is written, its hours are marked, and it is entered in the ledger, in this order; each of
the three may be repeated. So an import that was killed anywhere is simply run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from stats_pipeline.errors import UnknownEventType
from stats_pipeline.model import Drop
from stats_pipeline.pipeline.moving.arrivals import Arrival, Arrivals
from stats_pipeline.pipeline.moving.event_lines import BadLine, EventLine, read_line
from stats_pipeline.pipeline.moving.imports import check_label

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

#: Events that are written at a time.
BATCH = 500

#: Bad lines that are named; behind them they are only counted.
NAMED_BAD_LINES = 100


@dataclass(slots=True)
class ImportReport:
    """Say what became of the lines: ``lines = added + changed + known + dropped + bad``.

    Attributes:
        import_id: by which the import can be undone.
        lines: how many were read.
        added: events that were not there.
        changed: events of which an earlier revision was there.
        known: events that were there, or whose fixed window had its click.
        dropped: bare events that a preprocessor left out.
        bad: lines that can't be imported.
        bad_lines: the first of them, with file, number and reason.
    """

    import_id: str
    lines: int = 0
    added: int = 0
    changed: int = 0
    known: int = 0
    dropped: int = 0
    bad: int = 0
    bad_lines: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)

    def name_bad(self, file: str, line: int, reason: str) -> None:
        """Count a bad line, and name it while there are few."""
        self.bad += 1
        if len(self.bad_lines) < NAMED_BAD_LINES:
            self.bad_lines.append({"file": file, "line": line, "reason": reason})


class EventsImport:
    """Import lines of events; one import at a time for an event type.

    Args:
        pipeline: into which.
        import_id: names this import; running it again goes on with it.
        event_type: into which events go, whatever their lines say; None: what the lines say.

    Attributes:
        report: what became of the lines so far.
        has_written: whether the store may hold a part of it.
    """

    def __init__(self, pipeline: Pipeline, import_id: str, event_type: str | None = None) -> None:
        check_label("import_id", import_id)
        if event_type is not None:
            pipeline.registries.event_type(event_type)
        self.report = ImportReport(import_id)
        self.has_written = False
        self._pipeline = pipeline
        self._event_type = event_type
        self._arrivals: dict[str, Arrivals] = {}
        self._batch: list[Arrival] = []

    def take(
        self,
        name: str,
        lines: Iterable[tuple[int, bytes]],
        on_batch: Callable[[], object] = lambda: None,
    ) -> ImportReport:
        """Import the lines of one file, and report on all so far.

        Args:
            name: of the file, for bad lines.
            lines: number and bytes of each.
            on_batch: called after each batch.

        Raises:
            StoreError: not all is written; the same import may be run again.
        """
        try:
            for number, line in lines:
                self.report.lines += 1
                try:
                    self._batch.append(self._arrival(name, number, read_line(line)))
                except BadLine as error:
                    self.report.name_bad(name, number, str(error))
                except Drop:
                    self.report.dropped += 1
                if len(self._batch) == BATCH:
                    self._write()
                    on_batch()
        finally:
            # Also where the file breaks off: what could be read is imported.
            self._write()
        on_batch()
        return self.report

    def _arrival(self, file: str, number: int, line: EventLine) -> Arrival:
        event_type = self._event_type or line.event_type
        if event_type is None:
            raise BadLine("a bare event does not say its event type: give --type for all lines")
        if event_type not in self._arrivals:
            try:
                self._arrivals[event_type] = Arrivals(self._pipeline, event_type)
            except UnknownEventType as error:
                raise BadLine(str(error)[:500]) from None
        return self._arrivals[event_type].prepare(file, number, line)

    def _write(self) -> None:
        batch, self._batch = self._batch, []
        for event_type, arrivals in self._arrivals.items():
            of_type = [arrival for arrival in batch if arrival.event_type == event_type]
            if of_type:
                self.has_written = True
                arrivals.write(of_type, self.report)
