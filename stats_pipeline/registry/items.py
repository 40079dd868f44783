"""Registrations as their owners wrote them: dicts or dataclasses, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from stats_pipeline.errors import (
    DefinitionError,
    DuplicateRegistration,
    nearest,
)
from stats_pipeline.model import Aggregation, EventType, Query

Declaration = EventType | Aggregation | Query


@dataclass(frozen=True, slots=True)
class Group:
    """Be one of the three registries' kinds.

    Attributes:
        kind: how it is called in messages.
        entry_point_group: where packages register.
        setting: the host's dict of overrides and complete registrations.
        declaration: the dataclass of an item.
        name_key: the key that names an item.
        nested_key: the key whose dict is merged key by key.
        is_complete: tells a complete registration in the host's configuration from overrides.
        needed: what it has and overrides have not, as messages call it.
    """

    kind: str
    entry_point_group: str
    setting: str
    declaration: type[Any]
    name_key: str
    nested_key: str
    is_complete: Callable[[Mapping[str, Any]], bool]
    needed: str


EVENTS = Group(
    "event type",
    "stats_pipeline.events",
    "STATS_EVENTS",
    EventType,
    "event_type",
    "processor_config",
    lambda keys: "templates" in keys,
    "'templates'",
)
AGGREGATIONS = Group(
    "aggregation",
    "stats_pipeline.aggregations",
    "STATS_AGGREGATIONS",
    Aggregation,
    "aggregation_name",
    "aggregator_config",
    lambda keys: "event" in keys.get("aggregator_config", {}),
    "'event' in aggregator_config",
)
QUERIES = Group(
    "query",
    "stats_pipeline.queries",
    "STATS_QUERIES",
    Query,
    "query_name",
    "query_config",
    lambda keys: "query_class" in keys,
    "'query_class'",
)


@dataclass(frozen=True, slots=True)
class Item:
    """Be one registration: who made it, and its keys as they were written."""

    group: Group
    name: str
    owner: str
    keys: Mapping[str, Any]
    is_shipped: bool = False

    @property
    def title(self) -> str:
        """Return how messages call it: kind, name and owner."""
        return f"{self.group.kind} {self.name!r} of {self.owner}"

    def declare(self) -> Any:
        """Return the declaration that the keys mean."""
        return self.group.declaration(**self.keys)


def read_item(group: Group, raw: object, *, owner: str, is_shipped: bool = False) -> Item:
    """Return the item that a registration function or the host's configuration gave."""
    keys = as_dict(group, raw, owner=owner)
    name = keys.get(group.name_key)
    what = f"{group.kind} {name!r}" if isinstance(name, str) else group.kind
    check_keys(keys, key_names(group.declaration), what=what, owner=owner)
    check_values(group, keys, what, owner)
    if not isinstance(name, str) or not name:
        raise DefinitionError(f"{owner}: a registered {group.kind} has no {group.name_key!r}")
    return Item(group, name, owner, keys, is_shipped)


def as_dict(group: Group, raw: object, *, owner: str) -> dict[str, Any]:
    """Return the keys of a registration or of overrides; of a dataclass all, with its defaults."""
    if isinstance(raw, group.declaration):
        return {name: getattr(raw, name) for name in key_names(group.declaration)}
    if isinstance(raw, Mapping):
        return dict(raw)
    raise DefinitionError(
        f"{owner}: each {group.kind} is registered by a dict or {group.declaration.__name__}, "
        f"not by {raw!r}"
    )


def check_keys(keys: Iterable[object], allowed: Iterable[str], *, what: str, owner: str) -> None:
    """Refuse a key that is not allowed, naming it, its owner and the nearest allowed one."""
    known = frozenset(allowed)
    for key in keys:
        if key not in known:
            raise DefinitionError(f"{owner}: unknown key {key!r} in {what}{nearest(key, known)}")


def unite(items: Iterable[Item]) -> dict[str, Item]:
    """Return the items by name; one name twice is an error unless one of them yields.

    What we ship yields to any other owner; otherwise exactly one must say ``replaces=True``.
    """
    united: dict[str, Item] = {}
    for item in items:
        other = united.get(item.name)
        united[item.name] = item if other is None else _stronger(other, item)
    return united


def _stronger(one: Item, other: Item) -> Item:
    if one.is_shipped != other.is_shipped:
        return other if one.is_shipped else one
    replacing = [item for item in (one, other) if item.keys.get("replaces")]
    if len(replacing) == 1:
        return replacing[0]
    both = "both say" if replacing else "neither says"
    raise DuplicateRegistration(
        f"The {one.group.kind} {one.name!r} is registered by {one.owner} and by {other.owner}; "
        f"{both} replaces=True, exactly one of them must"
    )


def check_values(group: Group, keys: Mapping[str, Any], what: str, owner: str) -> None:
    """Refuse a value of another type than its key has; what is imported is checked after that."""
    types: dict[str, tuple[type[Any], str]] = {
        group.nested_key: (Mapping, "a dict"),
        "description": (str, "text"),
        "replaces": (bool, "True or False"),
    }
    for key in types.keys() & keys.keys():
        expected, called = types[key]
        if not isinstance(keys[key], expected):
            raise DefinitionError(f"{owner}: {key} of {what} must be {called}, not {keys[key]!r}")


def key_names(declaration: type[Any]) -> list[str]:
    """Return the keys that a registration, or its nested dict, may have."""
    return [field.name for field in fields(declaration)]
