"""Filters and sources of documents as SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stats_pipeline.clock import format_time
from stats_pipeline.fields import from_text
from stats_pipeline.model import Between, Where
from stats_pipeline.sqlite import quote
from stats_pipeline.stores.sqlite.table import Table, encode_value


@dataclass(frozen=True, slots=True)
class Sql:
    """Be a piece of SQL with the values of its question marks."""

    text: str
    parameters: tuple[Any, ...] = ()


#: What a select from a source calls it, so that its columns can be told from other ones.
DOCUMENTS = "documents"

_NOTHING = Sql("0")
_EVERYTHING = Sql("1")


@dataclass(frozen=True, slots=True)
class ByValue:
    """Be documents as a table in which each is once for each value of some fields.

    Attributes:
        sql: the select that yields what the source's does, and the columns.
        keys: the columns of the fields grouped by: one value each, also of fields with lists.
        values: further field -> such a column.
        once: keeps each document once in a group, whatever the further fields hold.
    """

    sql: Sql
    keys: Sequence[str]
    values: Mapping[str, str]
    once: Sequence[Sql]


@dataclass(frozen=True)
class Source:
    """Be the documents of some indices, perhaps of several aliases, as one table.

    Attributes:
        types: field name -> field type, of all fields that one of the aliases has.
        sql: the select that yields `_index`, `_id`, `_version` and these fields.
        lists: the fields of which documents may have several values, as bytes with JSON.
    """

    types: Mapping[str, str]
    sql: Sql
    lists: frozenset[str] = frozenset()

    def column(self, field: str) -> str:
        """Return the field as SQL takes it; a field that no alias has is null everywhere."""
        return quote(field) if field in self.types else "null"

    def by_value(self, by: Sequence[str], others: Sequence[str]) -> ByValue:
        """Return the documents once for each value of these fields.

        Args:
            by: the fields that they are grouped by.
            others: further fields, each once.
        """
        fields = [*by, *others]
        columns, parts, once = [self.column(field) for field in fields], [], []
        selected = f"{DOCUMENTS}.*"
        for number, field in enumerate(fields):
            if field in self.lists:
                cell = f"{DOCUMENTS}.{columns[number]}"
                columns[number], place = quote(f"_value {number}"), quote(f"_place {number}")
                parts.append(f", json_each({_as_list(cell)}) as e{number}")
                selected += f", e{number}.value as {columns[number]}, e{number}.key as {place}"
                if number >= len(by):
                    once.append(Sql(f"{place} = 0"))
        sql = self.sql
        if parts:
            tail = f") as {DOCUMENTS}{''.join(parts)}"
            sql = join("", [Sql(f"select {selected} from ("), sql, Sql(tail)])
        values = dict(zip(others, columns[len(by) :], strict=True))
        return ByValue(sql, columns[: len(by)], values, once)

    def condition(self, clauses: Iterable[Where | Between]) -> Sql:
        """Return the condition that a document meets where all of these clauses keep it."""
        parts = [
            self._between(clause) if isinstance(clause, Between) else self._where(clause)
            for clause in clauses
        ]
        return join(" and ", parts) if parts else _EVERYTHING

    def _between(self, clause: Between) -> Sql:
        column = self.column(clause.field)
        bounds = [
            Sql(f"{column} {sign} ?", (format_time(moment),))
            for sign, moment in ((">=", clause.start), ("<", clause.end))
            if moment is not None
        ]
        return join(" and ", bounds) if bounds else Sql(f"{column} is not null")

    def _where(self, clause: Where) -> Sql:
        included = _EVERYTHING
        if clause.include:
            included = self._is_one_of(clause.field, clause.include)
        if not clause.exclude:
            return included
        excluded = self._is_one_of(clause.field, clause.exclude)
        return join(" and ", [included, Sql(f"not {excluded.text}", excluded.parameters)])

    def _is_one_of(self, field: str, values: Sequence[Any]) -> Sql:
        field_type = self.types.get(field)
        possible = [] if field_type is None else list(_possible(field_type, values))
        if not possible:
            return _NOTHING
        marks = ", ".join("?" * len(possible))
        column = self.column(field)
        # "is not null" makes it false, not null, for documents without the field.
        if field not in self.lists:
            return Sql(f"({column} is not null and {column} in ({marks}))", tuple(possible))
        # Qualified: the columns of json_each have names that fields may have.
        each = f"json_each({_as_list(f'{DOCUMENTS}.{column}')}) as e where e.value in ({marks})"
        return Sql(f"({column} is not null and exists (select 1 from {each}))", tuple(possible))


def join(separator: str, parts: Sequence[Sql]) -> Sql:
    """Return the pieces as one."""
    return Sql(
        separator.join(part.text for part in parts),
        tuple(value for part in parts for value in part.parameters),
    )


def filtered(call: str, conditions: Sequence[Sql]) -> Sql:
    """Return the call of an aggregate for the rows that meet all of these conditions."""
    if not conditions:
        return Sql(call)
    return join("", [Sql(f"{call} filter (where "), join(" and ", conditions), Sql(")")])


def union(indices: Mapping[str, Table]) -> Source:
    """Return the documents of these indices; a field that an alias lacks is null there."""
    tables = {table.alias: table for table in indices.values()}
    types: dict[str, str] = {}
    for table in tables.values():
        types = {**table.types, **types}
    lists = frozenset().union(*(table.lists for table in tables.values()))
    selects = [
        _select(table, types, [name for name, of in indices.items() if of.alias == table.alias])
        for table in tables.values()
    ]
    if not selects:
        selects = [Sql("select null as _index, null as _id, null as _version where 0")]
    return Source(types, join(" union all ", selects), lists)


def _select(table: Table, types: Mapping[str, str], names: Sequence[str]) -> Sql:
    columns = "".join(
        f", {quote(name) if name in table.types else 'null'} as {quote(name)}" for name in types
    )
    marks = ", ".join("?" * len(names))
    text = f"select _index, _id, _version{columns} from {table.name} where _index in ({marks})"
    return Sql(text, tuple(names))


def _as_list(cell: str) -> str:
    return f"case typeof({cell}) when 'blob' then cast({cell} as text) else json_array({cell}) end"


def _possible(field_type: str, values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        try:
            yield encode_value(field_type, from_text(field_type, value))
        except ValueError:
            continue  # No document can have it.
