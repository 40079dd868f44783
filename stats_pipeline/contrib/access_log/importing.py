"""Put the requests of log files through the pipeline: read, publish and process in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from stats_pipeline import current_stats
from stats_pipeline.cli import size_bytes
from stats_pipeline.contrib.access_log.reading import open_log
from stats_pipeline.contrib.access_log.selection import LineCounts, Selection
from stats_pipeline.errors import ConfigurationError, UnknownEventType, UnreadableFile

EVENT_TYPE = "access-log"

#: Events that are read and published at a time.
BATCH_EVENTS = 500

#: Called with the bytes read and the bytes of all files.
Progress = Callable[[int, int], None]


def check_active() -> None:
    """Refuse an application in which the event type is not active, saying how to activate it."""
    try:
        current_stats.publish(EVENT_TYPE, [])
    except UnknownEventType as error:
        raise ConfigurationError(
            f"{error}. Activate it by '{EVENT_TYPE}': {{}} in STATS_EVENTS of this application"
        ) from error


class LogImport:
    """Import the wanted requests of log files; repeating it changes nothing.

    Args:
        selection: which requests are wanted.
        dry_run: whether the files are only read.

    Attributes:
        counts: what became of the lines.
        processed: what became of the events that were processed here (see `Intake`).
    """

    def __init__(self, selection: Selection, *, dry_run: bool = False) -> None:
        self.counts = LineCounts()
        self._selection = selection
        self._dry_run = dry_run
        self._intake = current_stats.intake(EVENT_TYPE)
        self.processed = self._intake.processed

    def run(self, names: Sequence[str], progress: Progress) -> None:
        """Import these files, one after the other.

        Raises:
            UnreadableFile: a file is no log or breaks off. What came before is imported.
            StoreError: events could not be processed; they wait in the queue.
        """
        total_bytes = sum(size_bytes(name) for name in names)
        done_bytes = 0
        try:
            for name in names:
                with open_log(name) as log:
                    for batch in _batches(self._selection.events(log, self.counts)):
                        if not self._dry_run:
                            self._intake.take(batch)
                        progress(done_bytes + log.position_bytes(), total_bytes)
                done_bytes += size_bytes(name)
                progress(done_bytes, total_bytes)
        except UnreadableFile as error:
            self._intake.finish()
            raise UnreadableFile(f"{error}. {self._what_is_done()}") from error
        self._intake.finish()

    def _what_is_done(self) -> str:
        if self._dry_run or not self.counts.accepted:
            return "Nothing was imported"
        return (
            f"The {self.counts.accepted:,} requests accepted before are imported; importing the "
            "files again counts none of them twice"
        )


def _batches(events: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(events)
    while batch := list(islice(remaining, BATCH_EVENTS)):
        yield batch
