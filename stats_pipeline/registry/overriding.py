"""What the host's settings make of registrations: overrides key by key, or whole ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stats_pipeline.errors import ConfigurationError, UnknownName
from stats_pipeline.registry.config import AggregatorConfig, ProcessorConfig
from stats_pipeline.registry.items import (
    AGGREGATIONS,
    EVENTS,
    QUERIES,
    Group,
    Item,
    as_dict,
    check_keys,
    check_values,
    key_names,
    read_item,
)

#: What the nested dict of a kind may hold; that of a query depends on its class.
NESTED: Mapping[str, type[Any]] = {
    EVENTS.kind: ProcessorConfig,
    AGGREGATIONS.kind: AggregatorConfig,
}

#: Keys by which a host names what is imported or read -> where that is done. Signals and builders
#: are loaded by whoever listens.
LOADED_AT_START: Mapping[str, Mapping[str, str]] = {
    EVENTS.kind: {
        "templates": "template",
        "processor_class": "processor_class",
        "preprocessors": "preprocessors",
    },
    AGGREGATIONS.kind: {
        "templates": "template",
        "aggregator_class": "aggregator_class",
        "query_modifiers": "modifiers",
    },
    QUERIES.kind: {"permission": "permission"},
}


def load_named(thing: object, group: Group, overrides: Mapping[str, Any]) -> None:
    """Load what the host itself names by path, as a package's is loaded on first use."""
    named = overrides.keys() | overrides.get(group.nested_key, {}).keys()
    for key, attribute in LOADED_AT_START[group.kind].items():
        if key in named:
            getattr(thing, attribute)


def overridden(
    group: Group,
    items: Mapping[str, Item],
    name: str,
    raw: object,
    unknown: type[UnknownName],
) -> Item:
    """Return the item that the host's settings make of a name: changed, replaced or of its own.

    Raises:
        DefinitionError, ConfigurationError: what is wrong in the settings, and the nearest key.
        UnknownName: nobody registered it, and it is no complete registration.
    """
    owner = f"the host's {group.setting}"
    is_whole = isinstance(raw, group.declaration)
    overrides = host_keys(group, raw, name)
    if name in items and not is_whole and not overrides.get("replaces"):
        return _merged(items[name], overrides, owner=owner)
    _check_name_key(group, name, overrides, owner=owner)
    item = read_item(group, {**overrides, group.name_key: name}, owner=owner)
    if not is_whole and not group.is_complete(item.keys):
        if group.kind in NESTED:  # a slip in there may be why it does not look like a registration
            known, nested = key_names(NESTED[group.kind]), item.keys.get(group.nested_key, {})
            check_keys(nested, known, what=group.nested_key, owner=f"{owner}[{name!r}]")
        reason = f" in {group.setting}, which nobody registered; one of your own needs "
        raise unknown(name, items, reason + group.needed)
    return item


def host_keys(group: Group, raw: object, name: str) -> dict[str, Any]:
    """Return what the host says of a name, in a dict or as a whole registration."""
    return as_dict(group, raw, owner=f"the host's {group.setting}[{name!r}]")


def _merged(item: Item, overrides: Mapping[str, Any], *, owner: str) -> Item:
    """Return the item with the host's values: the nested dict key by key, all else replaced."""
    group = item.group
    check_keys(overrides, key_names(group.declaration), what=item.title, owner=owner)
    check_values(group, overrides, item.title, owner)
    _check_name_key(group, item.name, overrides, owner=owner)
    keys = {**item.keys, **overrides}
    if group.nested_key in overrides:
        nested = {**item.keys.get(group.nested_key, {}), **overrides[group.nested_key]}
        keys[group.nested_key] = nested
    return Item(group, item.name, item.owner, keys, item.is_shipped)


def _check_name_key(group: Group, name: str, keys: Mapping[str, Any], *, owner: str) -> None:
    """Refuse a name inside of a registration that is not the one above it."""
    if keys.get(group.name_key, name) != name:
        raise ConfigurationError(
            f"{owner}[{name!r}] says {group.name_key}={keys[group.name_key]!r}; "
            "leave it out or give both the same name"
        )
