"""References: events that something points to, which retention must not delete.

One state record for each reference, so that several may point to one event, and each lets go of it
for itself. Workers and aggregations know nothing of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from stats_pipeline.clock import format_time, parse_time
from stats_pipeline.errors import InvalidParameter, TooLate
from stats_pipeline.events.envelope import LONGEST_EVENT_ID
from stats_pipeline.events.identity import digest
from stats_pipeline.intervals import Period
from stats_pipeline.stores.protocol import Record, State
from stats_pipeline.stores.seals import read_seal
from stats_pipeline.text import noun

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

KIND = "reference"

#: Characters of who refers: enough for the name of a thing and its id.
LONGEST_BY = 200


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Be a reference to an event.

    Attributes:
        event_type: of the event.
        event_id: of the event.
        timestamp: of the event, ISO 8601 UTC.
        by: who refers to it.
    """

    event_type: str
    event_id: str
    timestamp: str
    by: str

    def as_dict(self) -> dict[str, str]:
        """Return the reference as JSON values."""
        return asdict(self)


class References:
    """Keep events from being deleted by retention, as long as something refers to them.

    The whole index of such an event stays, since indices are only deleted as a whole. Nothing else
    asks: an event can be corrected, withdrawn, taken back with its import, and erased.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._registries = pipeline.registries
        self._state = pipeline.store.state

    def keep(self, event_type: str, event_id: str, timestamp: str | datetime, *, by: str) -> None:
        """Refer to an event, which need not be stored yet; durable, and may be repeated.

        Args:
            event_type: an active one.
            event_id: of the event.
            timestamp: of the event; what has another one is another event.
            by: who refers, as ``issues/17``; each of several lets go for itself.

        Raises:
            UnknownEventType: no active event type has this name.
            InvalidParameter: one of these can't be.
            TooLate: the event's time is closed (`retention_days`), so that it may be gone.
        """
        alias = self._registries.event_type(event_type).alias
        record = _record(event_type, alias, event_id, timestamp, by)
        if self._state.get(KIND, [record.key]) != [None]:
            return
        seal = read_seal(self._state, alias)
        assert record.time is not None
        # Deletion comes an hour after closing, so it sees a reference that was let pass here.
        if seal.is_closed(record.time):
            raise TooLate(
                f"{by!r} can't refer to the event {event_id!r} of {format_time(record.time)}: its "
                "time is closed (retention_days), so it may be deleted already"
            )
        self._state.create(record)

    def release(
        self, event_type: str, event_id: str, timestamp: str | datetime, *, by: str
    ) -> bool:
        """Refer to an event no longer; tell whether this one has referred to it.

        Raises:
            UnknownEventType: no active event type has this name.
            InvalidParameter: one of these can't be.
        """
        alias = self._registries.event_type(event_type).alias
        record = _record(event_type, alias, event_id, timestamp, by)
        (stored,) = self._state.get(KIND, [record.key])
        return stored is not None and self._state.delete(stored)

    def list(self, event_type: str | None = None) -> Sequence[Reference]:
        """Return the references to events of a type, or of all active ones, by type and time."""
        names = self._registries.active_event_types if event_type is None else [event_type]
        return [
            Reference(**record.body)
            for name in names
            for record in self._state.find(KIND, group=self._registries.event_type(name).alias)
        ]


def why_kept(state: State, event_alias: str, period: Period) -> str:
    """Return who refers to events of this period, empty where nobody does."""
    found = state.find(KIND, group=event_alias, start=period.start, end=period.end)
    first = next(found, None)
    if first is None:
        return ""
    more = sum(1 for _ in found)
    others = f", and {more} more {noun(more, 'reference')}" if more else ""
    reference = Reference(**first.body)
    return (
        f"{reference.by} refers to its event {reference.event_id} of {reference.timestamp}{others}"
    )


def _record(
    event_type: str, alias: str, event_id: str, timestamp: str | datetime, by: str
) -> Record:
    given: dict[str, tuple[object, int]] = {
        "event_id": (event_id, LONGEST_EVENT_ID),
        "by": (by, LONGEST_BY),
    }
    for name, (value, longest) in given.items():
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            raise InvalidParameter(
                f"{name} is text of 1 to {longest} characters, not {value!r:.300}", parameter=name
            )
    try:
        moment = parse_time(timestamp)
    except ValueError as error:
        raise InvalidParameter(f"timestamp: {error}", parameter="timestamp") from None
    text = format_time(moment)
    reference = Reference(event_type=event_type, event_id=event_id, timestamp=text, by=by)
    key = f"{alias}/{digest(event_id, text, by)}"
    return Record(KIND, key, alias, moment, body=reference.as_dict())
