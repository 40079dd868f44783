"""Export: the stored events of a type, oldest first, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from stats_pipeline.clock import format_time
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.intervals import Period
from stats_pipeline.model import Filter
from stats_pipeline.pipeline.moving.event_lines import write_line
from stats_pipeline.queries.parameters import read_end, read_start
from stats_pipeline.registry import EventDefinition
from stats_pipeline.stores.indices import EventIndices
from stats_pipeline.stores.protocol import Store

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

When = str | datetime | None

#: Called with how many events are done, and how many there are.
Progress = Callable[[int, int], None]

#: Events between two words about progress.
STEP = 1_000

#: Beyond all events: asks for every index that there is.
LAST = datetime(9999, 1, 1, tzinfo=UTC)


def export_events(
    pipeline: Pipeline, event_type: str, start: When, end: When, progress: Progress
) -> Iterator[bytes]:
    """Return a line for each stored event of ``[start, end)``; a bare date is a whole day in UTC.

    Raises:
        UnknownEventType: no active event type has this name.
        InvalidParameter: start or end is no time, or the start is after the end.
        IndexLost: while lines are taken: events are gone, so that the export would not be whole.
    """
    definition = pipeline.registries.event_type(event_type)
    first, last = _bound("start", start, read_start), _bound("end", end, read_end)
    # A bare date reaches through its end, so the date before the start ends where that begins.
    first_of_end = _bound("end", end, read_start)
    if first and last and first_of_end and first >= last and first > first_of_end:
        raise InvalidParameter(
            f"start ({format_time(first)}) is after the end ({format_time(first_of_end)})",
            parameter="start",
        )
    return _export(pipeline, definition, first, last, progress)


def _export(
    pipeline: Pipeline,
    definition: EventDefinition,
    first: datetime | None,
    last: datetime | None,
    progress: Progress,
) -> Iterator[bytes]:
    indices = EventIndices(pipeline.store, definition.template, definition.config.index_interval)
    if first is not None and first == last:
        return
    names = indices.covering(Period(first or pipeline.settings["STATS_EARLIEST"], last or LAST))
    pipeline.store.refresh(names)
    where = Filter()
    if first is not None or last is not None:
        where = where.between("timestamp", first, last)
    with pipeline.store.snapshot(names) as snapshot:
        total = snapshot.count(where)
    lines = _lines(pipeline.store, definition.name, names, where)
    for number, line in enumerate(lines, start=1):
        yield line
        if number % STEP == 0 or number == total:
            progress(number, total)


def _lines(store: Store, event_type: str, names: list[str], where: Filter) -> Iterator[bytes]:
    # One index after the other: each is sorted for itself, and they follow each other in time.
    for name in names:
        with store.snapshot([name]) as snapshot:
            for document in snapshot.scan(where, ["timestamp", "event_id"]):
                yield write_line(event_type, document.body)


def _bound(name: str, value: When, read: Callable[[When, tzinfo], datetime]) -> datetime | None:
    try:
        return None if value is None else read(value, UTC)
    except ValueError as error:
        raise InvalidParameter(f"{name} {error}", parameter=name) from None
