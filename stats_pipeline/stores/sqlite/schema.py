"""The catalogue of indices, and the changes to tables that templates ask for.

A file holds, for each alias, the table ``documents:<alias>`` with the documents of all its indices,
and a view named ``<alias>``, for people, with those of the indices that have the alias now.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from stats_pipeline.errors import StoreRefused
from stats_pipeline.sqlite import Database, quote
from stats_pipeline.stores.sqlite.table import OWN_COLUMNS, Table, column_type
from stats_pipeline.templates import IndexTemplate

#: No index name begins with an underscore, so these names are never those of views.
CATALOGUE = (
    "create table if not exists _aliases (alias text primary key, types text not null)",
    """create table if not exists _indices (
        name text primary key, alias text not null, uuid text not null, aliased integer not null
    )""",
    "create table if not exists _lists (alias text, field text, primary key (alias, field))",
)

#: The times that documents are searched by: events by the first, rows by either.
_INDEXED = ("timestamp", "start")


def load_tables(connection: sqlite3.Connection) -> dict[str, Table]:
    """Return alias -> table."""
    lists: dict[str, set[str]] = {}
    for alias, field in connection.execute("select alias, field from _lists"):
        lists.setdefault(alias, set()).add(field)
    rows = connection.execute("select alias, types from _aliases")
    return {
        alias: Table(alias, json.loads(types), frozenset(lists.get(alias, ())))
        for alias, types in rows
    }


def tables_by_index(connection: sqlite3.Connection) -> dict[str, Table]:
    """Return index name -> the table that holds its documents."""
    tables = load_tables(connection)
    rows = connection.execute("select name, alias from _indices")
    return {name: tables[alias] for name, alias in rows}


def ensure_table(database: Database, template: IndexTemplate) -> None:
    """Make the alias's table if it is missing, and add the columns that it lacks."""
    rows = database.read("select types from _aliases where alias = ?", (template.alias,))
    if rows and template.types.items() <= json.loads(rows[0][0]).items():
        return
    with database.write() as connection:
        _change_table(connection, template)


def _change_table(connection: sqlite3.Connection, template: IndexTemplate) -> None:
    # Read again: another process may have made the same change while we waited for the lock.
    old = load_tables(connection).get(template.alias)
    old_types: Mapping[str, str] = old.types if old else {}
    table = Table(template.alias, {**old_types, **template.types})
    _check_names(table)
    _check_unchanged(table, old_types)
    if old is None:
        connection.execute(
            f"create table {table.name} (_index text not null, _id text not null, "
            "_version integer, primary key (_index, _id))"
        )
    for name in table.types:
        if name not in old_types:
            _add_column(connection, table, name)
    connection.execute(
        "insert or replace into _aliases values (?, ?)",
        (table.alias, json.dumps(dict(table.types))),
    )
    _make_view(connection, table)


def _check_names(table: Table) -> None:
    seen: dict[str, str] = {name: name for name in OWN_COLUMNS}
    for name in table.types:
        other = seen.setdefault(name.lower(), name)
        if other != name or name in OWN_COLUMNS:
            raise StoreRefused(
                f"the fields {other!r} and {name!r} of {table.alias} can't be told apart by "
                "SQLite; rename one of them in the index template"
            )


def _check_unchanged(table: Table, old_types: Mapping[str, str]) -> None:
    for name, old_type in old_types.items():
        if table.types[name] != old_type:
            raise StoreRefused(
                f"the field {name!r} of {table.alias} is stored as {old_type!r} and can't become "
                f"{table.types[name]!r}; give the new field another name"
            )


def _add_column(connection: sqlite3.Connection, table: Table, name: str) -> None:
    connection.execute(
        f"alter table {table.name} add column {quote(name)} {column_type(table.types[name])}"
    )
    if name in _INDEXED:
        index = quote(f"documents:{table.alias}:{name}")
        connection.execute(f"create index {index} on {table.name} (_index, {quote(name)})")


def _make_view(connection: sqlite3.Connection, table: Table) -> None:
    literal = table.alias.replace("'", "''")
    connection.execute(f"drop view if exists {quote(table.alias)}")
    connection.execute(
        f"create view {quote(table.alias)} as select _index, _id{table.fields} from {table.name} "
        f"where _index in (select name from _indices where alias = '{literal}' and aliased)"
    )
