"""Put exported events of invenio-stats through the pipeline: read, publish, process in turns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from stats_pipeline import current_stats
from stats_pipeline.cli import OpenFile, size_bytes
from stats_pipeline.contrib.access_log.identity import LineIdentities
from stats_pipeline.contrib.access_log.reading import open_log
from stats_pipeline.contrib.invenio_stats.event_lines import (
    ExportedEvent,
    MalformedLine,
    event_id_of,
    parse_line,
)
from stats_pipeline.errors import UnreadableFile

#: Events that are read and published at a time.
BATCH_EVENTS = 500

#: How many malformed lines are shown: enough to see what is wrong with a file.
SHOWN_MALFORMED = 5

#: How many names of unknown fields are counted and shown; a file may hold any number of them.
MOST_UNKNOWN_FIELDS = 100

#: Called with the bytes read and the bytes of all files.
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class EventCounts:
    """Count lines: ``lines = accepted + refused + malformed``.

    Attributes:
        lines: how many were read, blank ones not counted.
        accepted: how many are to be events.
        refused: how many have fields that the event type does not know.
        malformed: how many are no exported events.
        first_malformed: file, number and reason of the first of those.
        unknown_fields: field -> in how many lines, of the first 100 such fields.
    """

    lines: int = 0
    accepted: int = 0
    refused: int = 0
    malformed: int = 0
    first_malformed: list[dict[str, Any]] = field(default_factory=list)
    unknown_fields: dict[str, int] = field(default_factory=dict)


class EventImport:
    """Import exported events of one type; repeating it changes nothing.

    Args:
        event_type: what they are here; it must be active.
        drop_unknown: whether fields that it does not know are left out, instead of their lines.
        dry_run: whether the files are only read.

    Attributes:
        counts: what became of the lines.
        processed: what became of the events that were processed here (see `Intake`).
    """

    def __init__(
        self, event_type: str, *, drop_unknown: bool = False, dry_run: bool = False
    ) -> None:
        self.counts = EventCounts()
        self._intake = current_stats.intake(event_type)
        self.processed = self._intake.processed
        self._known: Collection[str] = current_stats.registries.event_type(
            event_type
        ).template.types
        self._drop_unknown = drop_unknown
        self._dry_run = dry_run

    def run(self, names: Sequence[str], progress: Progress) -> None:
        """Import these files, one after the other.

        Raises:
            UnreadableFile: a file can't be read or breaks off. What came before is imported.
            StoreError: events could not be processed; they wait in the queue.
        """
        total_bytes = sum(size_bytes(name) for name in names)
        done_bytes = 0
        try:
            for name in names:
                with open_log(name) as file, closing(LineIdentities()) as identities:
                    for batch in _batches(self._events(file, identities)):
                        if not self._dry_run:
                            self._intake.take(batch)
                        progress(done_bytes + file.position_bytes(), total_bytes)
                done_bytes += size_bytes(name)
                progress(done_bytes, total_bytes)
        except UnreadableFile:
            self._intake.finish()
            raise
        self._intake.finish()

    def _events(self, file: OpenFile, identities: LineIdentities) -> Iterator[dict[str, Any]]:
        for number, line in file.lines():
            self.counts.lines += 1
            try:
                exported = parse_line(line)
            except MalformedLine as error:
                self._count_malformed(file.name, number, str(error))
                continue
            # Before anything is left out, so that the identity does not depend on options.
            event_id = _identity(exported, identities)
            if self._accepts(exported):
                yield {**exported.event, "event_id": event_id}

    def _accepts(self, exported: ExportedEvent) -> bool:
        """Tell whether a line is taken; leave out its unknown fields where that was asked for."""
        unknown = exported.unknown_fields(self._known)
        counted = self.counts.unknown_fields
        for name in unknown:
            if name in counted or len(counted) < MOST_UNKNOWN_FIELDS:
                counted[name] = counted.get(name, 0) + 1
        if unknown and not self._drop_unknown:
            self.counts.refused += 1
            return False
        for name in unknown:
            del exported.event[name]
        self.counts.accepted += 1
        return True

    def _count_malformed(self, file: str, line: int, reason: str) -> None:
        self.counts.malformed += 1
        if len(self.counts.first_malformed) < SHOWN_MALFORMED:
            self.counts.first_malformed.append({"file": file, "line": line, "reason": reason})


def _identity(exported: ExportedEvent, identities: LineIdentities) -> str:
    if exported.document_id is not None:
        return event_id_of(exported.document_id)
    return identities.of(exported.content(), exported.event["timestamp"])


def _batches(events: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(events)
    while batch := list(islice(remaining, BATCH_EVENTS)):
        yield batch
