"""Tables of documents: one per alias, its columns from the index template.

Nothing here touches a database; `schema` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stats_pipeline.fields import WHOLE_NUMBERS, one_form
from stats_pipeline.sqlite import quote
from stats_pipeline.stores.protocol import Document

#: What a row says besides the fields; no field may have such a name.
OWN_COLUMNS = ("_index", "_id", "_version")

_JSON_TYPES = frozenset({"object", "flattened"})


@dataclass(frozen=True)
class Table:
    """Be the table that holds the documents of an alias's indices.

    Attributes:
        alias: whose documents these are.
        types: field name -> field type.
        lists: the fields of which a document has had several values.
    """

    alias: str
    types: Mapping[str, str]
    lists: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Return the table's name as SQL takes it."""
        return quote(f"documents:{self.alias}")

    @cached_property
    def fields(self) -> str:
        """Return the columns of the fields as SQL takes them, in the order of `types`."""
        return "".join(f", {quote(name)}" for name in self.types)

    @cached_property
    def put_sql(self) -> str:
        """Return the statement that writes what `encode` returned, whatever was there."""
        values = ", ?" * len(self.types)
        changes = "".join(f", {quote(name)} = excluded.{quote(name)}" for name in self.types)
        return (
            f"insert into {self.name} (_index, _id, _version{self.fields}) values (?, ?, ?{values})"
            f" on conflict (_index, _id) do update set _version = excluded._version{changes}"
        )

    @cached_property
    def put_newer_sql(self) -> str:
        """Return that statement for a version: it writes only over a lower one or none."""
        return f"{self.put_sql} where _version is null or excluded._version > _version"

    @cached_property
    def put_same_sql(self) -> str:
        """Return that statement for a version that may also be the stored one."""
        return f"{self.put_sql} where _version is null or excluded._version >= _version"

    def encode(self, body: Mapping[str, Any]) -> list[Any]:
        """Return the values of a row; raise ValueError with the reason where that can't be."""
        unknown = [name for name in body if name not in self.types and body[name] is not None]
        if unknown:
            raise ValueError(f"the index template of {self.alias} has no field {unknown[0]!r}")
        return [
            None if body.get(name) is None else self._encode_field(name, body[name])
            for name in self.types
        ]

    def lists_of(self, values: Iterable[Any]) -> set[str]:
        """Return the fields that have several values in what `encode` returned."""
        return {n for n, v in zip(self.types, values, strict=True) if isinstance(v, bytes)}

    def decode(self, row: tuple[Any, ...]) -> Document:
        """Return the document of a row that begins with `_index`, `_id` and `_version`."""
        body = {
            name: decode_value(self.types[name], value)
            for name, value in zip(self.types, row[3:], strict=True)
            if value is not None
        }
        return Document(row[0], row[1], body, row[2])

    def _encode_field(self, name: str, value: Any) -> Any:
        try:
            return encode_value(self.types[name], value)
        except ValueError as error:
            raise ValueError(f"the field {name!r} {error}") from None


def column_type(field_type: str) -> str:
    """Return the SQL type of a field type."""
    if field_type in WHOLE_NUMBERS or field_type == "boolean":
        return "integer"
    return "real" if field_type in ("double", "float") else "text"


def encode_value(field_type: str, value: Any) -> Any:
    """Return a value as its column holds it; raise ValueError where the type has no such value."""
    checked = one_form(field_type, value)
    if isinstance(checked, list):
        # As bytes, which no other value of a field is.
        return json.dumps(checked).encode()
    if field_type in _JSON_TYPES:
        return json.dumps(checked, allow_nan=False)
    return int(checked) if field_type == "boolean" else checked


def decode_value(field_type: str, value: Any) -> Any:
    """Return what `encode_value` was given, in its one form."""
    if value is None:
        return None
    if field_type in _JSON_TYPES or isinstance(value, bytes):
        return json.loads(value)
    return bool(value) if field_type == "boolean" else value
