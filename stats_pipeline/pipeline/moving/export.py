"""Export: the stored events of a type, oldest first, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from stats_pipeline.clock import format_time
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.intervals import DAY, Period
from stats_pipeline.model import Filter
from stats_pipeline.pipeline.moving.event_lines import write_line
from stats_pipeline.queries.parameters import read_end, read_start
from stats_pipeline.stores.indices import EventIndices
from stats_pipeline.stores.protocol import Document
from stats_pipeline.urls import without_password

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

When = str | datetime | None

#: Called with how many events are done, and how many there are.
Progress = Callable[[int, int], None]

#: Events between two words about progress.
STEP = 1_000

#: Beyond all events: asks for every index that there is.
LAST = datetime(9999, 1, 1, tzinfo=UTC)


class Export:
    """Give a line for each stored event of ``[start, end)``; a bare date is a whole day in UTC.

    Args:
        pipeline: where they are stored.
        event_type: of the events.
        start: None for all from the first one on.
        end: None for all up to the last one.

    Raises:
        UnknownEventType: no active event type has this name.
        InvalidParameter: start or end is no time, or the start is after the end.
    """

    def __init__(self, pipeline: Pipeline, event_type: str, start: When, end: When) -> None:
        definition = pipeline.registries.event_type(event_type)
        self._pipeline = pipeline
        self._event_type = event_type
        self._alias = definition.alias
        self._indices = EventIndices(
            pipeline.store, definition.template, definition.config.index_interval
        )
        self._first, self._last = _bound("start", start, read_start), _bound("end", end, read_end)
        # A bare date reaches through its end, so the date before the start ends where that begins.
        first_of_end = _bound("end", end, read_start)
        first, last = self._first, self._last
        if first and last and first_of_end and first >= last and first > first_of_end:
            raise InvalidParameter(
                f"start ({format_time(first)}) is after the end ({format_time(first_of_end)})",
                parameter="start",
            )

    @property
    def question(self) -> Mapping[str, str | None]:
        """Return what tells this export from others; of the same events, if some may have come.

        Raises:
            IndexLost: events are gone, so that the export would not be whole.
        """
        oldest = self._names[:1]
        return {
            "store": without_password(self._pipeline.store_url),
            "events": self._alias,
            "start": None if self._first is None else format_time(self._first),
            "end": None if self._last is None else format_time(self._last),
            # Of another store at that address it has another UUID.
            "oldest": next(iter(self._pipeline.store.index_uuids(oldest).values()), None),
        }

    def days(self, progress: Progress, after: str = "") -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield each day (of UTC) that has events, with the lines of these, to be taken in turn.

        Args:
            progress: called with how many events are done, and how many there are.
            after: a day; only later ones. Empty: all.

        Raises:
            IndexLost: events are gone, so that the export would not be whole.
        """
        first = self._first
        if after:
            next_day = datetime.fromisoformat(after).replace(tzinfo=UTC) + DAY
            first = max(first or next_day, next_day)
        if first and self._last and first >= self._last:
            return
        names, store = self._names, self._pipeline.store
        store.refresh(names)
        where = Filter()
        if first is not None or self._last is not None:
            where = where.between("timestamp", first, self._last)
        with store.snapshot(names) as snapshot:
            counter = _Counter(progress, snapshot.count(where))
        # One index after the other: each is sorted for itself, and they follow each other in time.
        for name in names:
            with store.snapshot([name]) as snapshot:
                found = snapshot.scan(where, ["timestamp", "event_id"])
                for day, documents in groupby(found, key=_day_of):
                    yield day, counter.counted(self._lines(documents))

    @cached_property
    def _names(self) -> list[str]:
        earliest = self._pipeline.settings["STATS_EARLIEST"]
        if self._first is not None and self._first == self._last:
            return []
        return self._indices.covering(Period(self._first or earliest, self._last or LAST))

    def _lines(self, documents: Iterator[Document]) -> Iterator[bytes]:
        for document in documents:
            yield write_line(self._event_type, document.body)


class _Counter:
    """Say how many lines of all were taken."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._number = 0

    def counted(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            yield line
            self._number += 1
            if self._number % STEP == 0 or self._number == self._total:
                self._progress(self._number, self._total)


def _day_of(document: Document) -> str:
    text: str = document.body["timestamp"]
    return text[:10]


def _bound(name: str, value: When, read: Callable[[When, tzinfo], datetime]) -> datetime | None:
    try:
        return None if value is None else read(value, UTC)
    except ValueError as error:
        raise InvalidParameter(f"{name} {error}", parameter=name) from None
