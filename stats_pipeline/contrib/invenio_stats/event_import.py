"""Put exported events of invenio-stats through the pipeline: read, publish, process in turns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from stats_pipeline import current_stats
from stats_pipeline.contrib.access_log.identity import LineIdentities
from stats_pipeline.contrib.access_log.reading import OpenLog, UnreadableLog, open_log, size_bytes
from stats_pipeline.contrib.invenio_stats.event_lines import (
    ExportedEvent,
    MalformedLine,
    event_id_of,
    parse_line,
)
from stats_pipeline.errors import StoreError

#: What becomes of an event.
OUTCOMES = ("indexed", "duplicates", "dropped", "dead")

#: Events in one message of the queue.
BATCH_EVENTS = 500

#: So many events are published before they are processed, so that the queue never fills.
ROUND_EVENTS = 10_000

#: How many malformed lines are shown: enough to see what is wrong with a file.
SHOWN_MALFORMED = 5

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
        unknown_fields: field -> in how many lines.
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
        processed: what became of the events that were processed here, as in a report. Workers
            that run at the same time take their share.
    """

    def __init__(
        self, event_type: str, *, drop_unknown: bool = False, dry_run: bool = False
    ) -> None:
        self.counts = EventCounts()
        self.processed = dict.fromkeys(OUTCOMES, 0)
        self._event_type = event_type
        self._known: Collection[str] = current_stats.registries.event_type(
            event_type
        ).template.types
        self._drop_unknown = drop_unknown
        self._dry_run = dry_run
        self._published = 0

    def run(self, names: Sequence[str], progress: Progress) -> None:
        """Import these files, one after the other.

        Raises:
            UnreadableLog: a file can't be read or breaks off. What came before is imported.
            StoreError: events could not be processed; they wait in the queue.
        """
        total_bytes = sum(size_bytes(name) for name in names)
        done_bytes = 0
        try:
            for name in names:
                with open_log(name) as file, closing(LineIdentities()) as identities:
                    for batch in _batches(self._events(file, identities)):
                        self._take(batch)
                        progress(done_bytes + file.position_bytes(), total_bytes)
                done_bytes += size_bytes(name)
                progress(done_bytes, total_bytes)
        except UnreadableLog:
            self._process()
            raise
        self._process()

    def _events(self, file: OpenLog, identities: LineIdentities) -> Iterator[dict[str, Any]]:
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
        for name in unknown:
            self.counts.unknown_fields[name] = self.counts.unknown_fields.get(name, 0) + 1
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

    def _take(self, batch: list[dict[str, Any]]) -> None:
        if self._dry_run:
            return
        current_stats.publish(self._event_type, batch)
        self._published += len(batch)
        if self._published >= ROUND_EVENTS:
            self._process()

    def _process(self) -> None:
        # A drain may end early, on an alarm: what is published here is processed to its end.
        while self._published:
            report = current_stats.process_events([self._event_type]).types[self._event_type]
            if report.error:
                raise StoreError(
                    "The events can't be stored and wait in the queue; when it is mended, import "
                    f"again, which counts nothing twice: {report.error}"
                )
            for outcome in OUTCOMES:
                self.processed[outcome] += getattr(report, outcome)
            self._published = self._published if report.taken else 0


def _identity(exported: ExportedEvent, identities: LineIdentities) -> str:
    if exported.document_id is not None:
        return event_id_of(exported.document_id)
    return identities.of(exported.content(), exported.event["timestamp"])


def _batches(events: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(events)
    while batch := list(islice(remaining, BATCH_EVENTS)):
        yield batch
