"""Annotations: facts about a field's value that people know, as when a version was released.

Each value has one state record. Nothing that computes rows reads or writes it, so facts outlive
every update and reset; `stats_pipeline.queries.joining` puts them into answers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from stats_pipeline.errors import InvalidParameter, nearest
from stats_pipeline.fields import LONGEST_KEYWORD_BYTES
from stats_pipeline.stores.protocol import Record, State

KIND = "annotation"

#: All facts about one value, as JSON: notes for an answer, not documents.
LARGEST_FACTS_BYTES = 4_000

LONGEST_NAME = 100

Fact = str | int | float | bool
Facts = Mapping[str, Fact]


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """Be what is known of a value.

    Attributes:
        field: a field of rows.
        value: the value, as text.
        facts: name -> text, number or boolean.
    """

    field: str
    value: str
    facts: Facts

    def as_dict(self) -> dict[str, object]:
        """Return the annotation as JSON values."""
        return asdict(self)


class Annotations:
    """Keep and read annotations.

    A fact is about a value of a field, in the rows of every aggregation that has the field. Values
    are known by their text, so that 5 and ``"5"`` are one. Facts are free: any name, and any text,
    number or boolean; nothing here knows what a fact means.

    Args:
        state: where they are kept.
        prefix: keeps apart what shares a store.
        row_fields: returns the fields that rows have.
    """

    def __init__(
        self, state: State, *, prefix: str, row_fields: Callable[[], Collection[str]]
    ) -> None:
        self._state = state
        self._group = f"{prefix}annotations"
        self._row_fields = row_fields

    def set(self, field: str, value: Fact, facts: Mapping[str, Fact | None]) -> Annotation:
        """Add or change these facts about a value; None removes one. The others stay.

        Raises:
            InvalidParameter: rows have no such field, or a fact is too large or no fact.
        """
        self._check_field(field)
        _check_facts(facts)
        while True:
            record = self._stored(field, value) or self._record(field, value)
            changed = {**record.body["facts"], **facts}
            kept = {name: fact for name, fact in changed.items() if fact is not None}
            _check_size(kept)
            if self._write(replace(record, body={**record.body, "facts": kept})):
                return Annotation(field=field, value=value_text(value), facts=kept)

    def get(self, field: str, value: Fact) -> Facts:
        """Return the facts about a value; empty where there are none."""
        return self.facts_of(field, [value])[value_text(value)]

    def list(self, field: str | None = None) -> Sequence[Annotation]:
        """Return all annotations (of a field, or all), by field and value.

        Raises:
            InvalidParameter: rows have no such field, and nothing is known of one.
        """
        records = self._state.find(KIND, group=self._group)
        found = [Annotation(**record.body) for record in records]
        wanted = [each for each in found if field in (None, each.field)]
        if field is not None and not wanted:
            self._check_field(field)
        return sorted(wanted, key=lambda each: (each.field, each.value))

    def delete(self, field: str, value: Fact) -> bool:
        """Remove all facts about a value; tell whether there were any.

        Raises:
            InvalidParameter: rows have no such field, and nothing is known of this value of one.
        """
        while (record := self._stored(field, value)) is not None:
            if self._state.delete(record):
                return True
        self._check_field(field)
        return False

    def facts_of(self, field: str, values: Sequence[Fact]) -> dict[str, Facts]:
        """Return the facts about each of these values, by its text."""
        texts = list(dict.fromkeys(map(value_text, values)))
        found = self._state.get(KIND, [self._key(field, text) for text in texts])
        return {
            text: {} if record is None else record.body["facts"]
            for text, record in zip(texts, found, strict=True)
        }

    def _stored(self, field: str, value: Fact) -> Record | None:
        return self._state.get(KIND, [self._key(field, value_text(value))])[0]

    def _record(self, field: str, value: Fact) -> Record:
        text = value_text(value)
        body = {"field": field, "value": text, "facts": {}}
        return Record(KIND, self._key(field, text), self._group, body=body)

    def _write(self, record: Record) -> bool:
        if record.version is None:
            return self._state.create(record)
        if not record.body["facts"]:
            return self._state.delete(record)
        return self._state.swap([record]) == [True]

    def _key(self, field: str, text: str) -> str:
        # Values may be longer than keys.
        digest = sha256(json.dumps([field, text]).encode()).hexdigest()
        return f"{self._group}/{digest}"

    def _check_field(self, field: str) -> None:
        known = self._row_fields()
        if field not in known:
            raise InvalidParameter(
                f"no rows have a field {str(field)[:LONGEST_NAME]!r}{nearest(field, known)}",
                parameter="field",
            )


def value_text(value: object) -> str:
    """Return the text by which a value is known.

    Raises:
        InvalidParameter: it is no text, number or boolean, or longer than a row can hold.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int | float):
        raise InvalidParameter(f"value must be a text, number or boolean, not {value!r}"[:200])
    text = str(value)
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_KEYWORD_BYTES:
        raise InvalidParameter(f"value is longer than {LONGEST_KEYWORD_BYTES} bytes")
    return text


def _check_facts(facts: Any) -> None:
    if not isinstance(facts, Mapping) or not facts:
        raise InvalidParameter(
            "facts must be a dict with at least one fact, as {'released_on': '2016-12-18'}",
            parameter="facts",
        )
    for name, fact in facts.items():
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
            raise InvalidParameter(
                f"the name of a fact is a text of up to {LONGEST_NAME} characters, not {name!r}"[
                    :300
                ],
                parameter="facts",
            )
        is_finite = not isinstance(fact, float) or math.isfinite(fact)
        if not isinstance(fact, str | int | float | None) or not is_finite:
            raise InvalidParameter(
                f"the fact {name!r} must be a text, number or boolean, not {fact!r}"[:300],
                parameter="facts",
            )


def _check_size(facts: Facts) -> None:
    size_bytes = len(json.dumps(facts).encode())
    if size_bytes > LARGEST_FACTS_BYTES:
        raise InvalidParameter(
            f"the facts about a value have up to {LARGEST_FACTS_BYTES:,} bytes as JSON together, "
            f"not {size_bytes:,}",
            parameter="facts",
        )
