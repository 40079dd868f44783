"""Imports: which of them brought an event.

A stored event that was imported has `import_ids`, its *label*: the ids of all imports that brought
it, joined by commas. An event without a label came by the queue, whether or not it was imported
too. A record for each import knows the labels that it is in, which is how its events are found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from stats_pipeline.clock import Clock
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.stores.protocol import Record, State

KIND = "import"

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_label(name: str, text: str) -> None:
    """Refuse a text by which nothing can be labelled; the name is that of the parameter."""
    if not _LABEL.fullmatch(text):
        raise InvalidParameter(
            f"{name} {text[:120]!r}: it has up to 100 letters, digits, '.', '_' and '-'",
            parameter=name,
        )


def label_with(label: str | None, import_id: str) -> str:
    """Return the label with this import in it."""
    return ",".join(sorted({*ids_of(label), import_id}))


def label_without(label: str | None, import_id: str) -> str | None:
    """Return the label without this import, None where no import is left."""
    return ",".join(sorted({*ids_of(label)} - {import_id})) or None


def ids_of(label: str | None) -> list[str]:
    """Return the imports of a label."""
    return label.split(",") if label else []


class Imports:
    """Know the imports into one event type.

    Args:
        state: where this is kept.
        event_alias: of the event type.
        clock: says when an import begins.
    """

    def __init__(self, state: State, event_alias: str, clock: Clock) -> None:
        self._state = state
        self._alias = event_alias
        self._clock = clock
        self._noted: set[str] = set()

    def note(self, label: str) -> None:
        """Remember that there may be events with this label; durable when it returns."""
        if label not in self._noted:
            for import_id in ids_of(label):
                self._add(import_id, label)
            self._noted.add(label)

    def labels(self, import_id: str) -> Sequence[str] | None:
        """Return the labels that this import is in, None where there was no such import."""
        (record,) = self._state.get(KIND, [self._key(import_id)])
        return None if record is None else record.body["labels"]

    def begun(self) -> dict[str, datetime | None]:
        """Return the ids of all imports, and when each began (None: before that was noted)."""
        found = self._state.find(KIND, group=self._alias)
        return {record.key.removeprefix(f"{self._alias}/"): record.time for record in found}

    def _add(self, import_id: str, label: str) -> None:
        while True:
            (record,) = self._state.get(KIND, [self._key(import_id)])
            body: dict[str, Any] = {"labels": [label]}
            if record is None:
                now = self._clock.now()
                record = Record(KIND, self._key(import_id), self._alias, now, body=body)
                is_written = self._state.create(record)
            elif label in record.body["labels"]:
                return
            else:
                body = {"labels": [*record.body["labels"], label]}
                (is_written,) = self._state.swap([replace(record, body=body)])
            if is_written:
                return

    def _key(self, import_id: str) -> str:
        return f"{self._alias}/{import_id}"
