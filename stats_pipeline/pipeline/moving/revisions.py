"""Revisions: the lower revisions of an event, which count again if the higher ones are undone.

An event is stored in its highest revision. Where an import brings a higher one than is stored, or a
lower one than another import brought, the lower one is kept in a state record beside it; like the
stored one it has the label of the imports that brought it, or none if it came by the queue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stats_pipeline.model import Event
from stats_pipeline.pipeline.moving.imports import ids_of, label_with
from stats_pipeline.stores.protocol import Record, State

KIND = "import-revisions"


@dataclass(frozen=True, slots=True)
class Lower:
    """Be the lower revisions of one document, lowest first."""

    index: str
    id: str
    events: Sequence[Event]


class Revisions:
    """Keep the lower revisions of the events of one type.

    Args:
        state: where they are kept.
        event_alias: of the event type.
    """

    def __init__(self, state: State, event_alias: str) -> None:
        self._state = state
        self._alias = event_alias

    def keep(self, index: str, id_: str, event: Event) -> None:
        """Add a lower revision of this document; one that is there gets its imports as well."""
        while True:
            (record,) = self._state.get(KIND, [self._key(id_)])
            if record is None:
                body = {"index": index, "id": id_, "events": [event]}
                if self._state.create(Record(KIND, self._key(id_), self._alias, body=body)):
                    return
                continue
            body = {**record.body, "events": _added(record.body["events"], event)}
            if self._state.swap([replace(record, body=body)]) == [True]:
                return

    def of(self, ids: Sequence[str]) -> dict[str, Lower]:
        """Return the lower revisions of those of these documents that have any."""
        found = self._state.get(KIND, [self._key(id_) for id_ in ids])
        return {record.body["id"]: Lower(**record.body) for record in found if record is not None}

    def all(self) -> Iterator[Lower]:
        """Yield the lower revisions of every document that has any."""
        for record in self._state.find(KIND, group=self._alias):
            yield Lower(**record.body)

    def set(self, lower: Lower) -> None:
        """Keep just these revisions of a document; none: forget that it had any."""
        (record,) = self._state.get(KIND, [self._key(lower.id)])
        if record is None:
            return
        if lower.events:
            self._state.put([replace(record, body={**record.body, "events": list(lower.events)})])
        else:
            self._state.delete(record)

    def _key(self, id_: str) -> str:
        return f"{self._alias}/{id_}"


def revision_of(event: Mapping[str, Any]) -> int:
    """Return the revision of an event."""
    return int(event.get("revision", 0))


def _added(events: Sequence[Event], event: Event) -> list[Event]:
    same = [each for each in events if revision_of(each) == revision_of(event)]
    others = [each for each in events if each not in same]
    for each in same:
        event = _of_both(each, event)
    return sorted([*others, event], key=revision_of)


def _of_both(one: Event, other: Event) -> Event:
    """Return one revision that came twice; one that came by the queue has no label."""
    label: str | None = one.get("import_ids")
    if label is None or other.get("import_ids") is None:
        return one if label is None else other
    for import_id in ids_of(other["import_ids"]):
        label = label_with(label, import_id)
    return {**one, "import_ids": label}
