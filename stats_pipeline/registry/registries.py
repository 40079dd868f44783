"""The three registries of one app, each worked out on first use and then kept."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from typing import Any

from stats_pipeline.errors import (
    DefinitionError,
    DuplicateRegistration,
    StatsError,
    UnknownAggregation,
    UnknownEventType,
    UnknownName,
    UnknownQuery,
)
from stats_pipeline.importing import load
from stats_pipeline.model import Query
from stats_pipeline.registry.definitions import (
    AggregationDefinition,
    EventDefinition,
    row_alias,
)
from stats_pipeline.registry.entry_points import registered_items
from stats_pipeline.registry.items import (
    AGGREGATIONS,
    EVENTS,
    QUERIES,
    Group,
    Item,
    check_keys,
    merge,
    read_item,
    unite,
)


class Registries:
    """Give event types, aggregations and queries by name.

    Args:
        settings: what `stats_pipeline.settings.read_settings` returned.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._prefix: str = settings["STATS_INDEX_PREFIX"]
        self._events: dict[str, EventDefinition] = {}
        self._aggregations: dict[str, AggregationDefinition] = {}
        self._queries: dict[str, RegisteredQuery] = {}

    # Event types

    @cached_property
    def event_items(self) -> dict[str, Item]:
        """Return all registered event types, also those that are not active."""
        return self._collect(EVENTS, UnknownEventType)

    @property
    def active_event_types(self) -> list[str]:
        """Return the names of the event types that the host's configuration makes active."""
        return sorted(self._settings[EVENTS.setting])

    def event_type(self, name: str) -> EventDefinition:
        """Return an active event type; raise UnknownEventType for any other name."""
        if name not in self._settings[EVENTS.setting]:
            raise UnknownEventType(name, self.active_event_types, self._why_not_active(name))
        return self.registered_event_type(name)

    def registered_event_type(self, name: str) -> EventDefinition:
        """Return a registered event type, active or not."""
        if name not in self._events:
            item = _item(self.event_items, name, UnknownEventType)
            self._events[name] = EventDefinition(item, settings=self._settings)
        return self._events[name]

    def _why_not_active(self, name: str) -> str:
        try:
            registered = name in self.event_items
        except StatsError:  # the caller asked about one name; what else is wrong is not the answer
            registered = False
        return ", which is registered but not active (STATS_EVENTS)" if registered else ""

    # Aggregations

    @cached_property
    def aggregation_items(self) -> dict[str, Item]:
        """Return all registered aggregations."""
        items = self._collect(AGGREGATIONS, UnknownAggregation)
        owners: dict[str, Item] = {}
        for item in items.values():
            other = owners.setdefault(row_alias(item.name), item)
            if other is not item:
                raise DuplicateRegistration(
                    f"{other.title} and {item.title} would have one alias; rename one of them"
                )
        return items

    def aggregation(self, name: str) -> AggregationDefinition:
        """Return an aggregation; raise UnknownAggregation for a name that nobody registered."""
        if name not in self._aggregations:
            item = _item(self.aggregation_items, name, UnknownAggregation)
            self._aggregations[name] = AggregationDefinition(
                item, prefix=self._prefix, event_type=self.registered_event_type
            )
        return self._aggregations[name]

    def aggregation_with_alias(self, alias_name: str) -> str | None:
        """Return the name of the aggregation whose rows have this alias, None if there is none."""
        return next(
            (name for name in self.aggregation_items if row_alias(name) == alias_name), None
        )

    def aggregations_of(self, event_type: str) -> list[str]:
        """Return the names of the aggregations that count this event type."""
        return [
            name
            for name, item in self.aggregation_items.items()
            if item.keys.get(AGGREGATIONS.nested_key, {}).get("event") == event_type
        ]

    @cached_property
    def inactive_aggregations(self) -> set[str]:
        """Return the names of the aggregations that count an event type which is not active."""
        active = (self.aggregations_of(name) for name in self.active_event_types)
        return self.aggregation_items.keys() - set(chain.from_iterable(active))

    # Queries

    @cached_property
    def query_items(self) -> dict[str, Item]:
        """Return all registered queries."""
        return self._collect(QUERIES, UnknownQuery)

    def query(self, name: str) -> RegisteredQuery:
        """Return a query; raise UnknownQuery for a name that nobody registered."""
        if name not in self._queries:
            self._queries[name] = RegisteredQuery(_item(self.query_items, name, UnknownQuery))
        return self._queries[name]

    # All three

    def check_overrides(self) -> None:
        """Refuse what is wrong in the host's configuration; loads only what it names."""
        for name, overrides in self._settings[EVENTS.setting].items():
            definition = self.event_type(name)
            config = definition.config  # worked out and checked on first use
            if config.retention_days is not None:
                self._check_retention(name)
            if "preprocessors" in overrides.get("processor_config", {}):
                definition.preprocessors  # noqa: B018
        for name in self._settings[AGGREGATIONS.setting]:
            self.aggregation(name).config  # noqa: B018
        for name, overrides in self._settings[QUERIES.setting].items():
            query = self.query(name)
            if QUERIES.nested_key in overrides:
                query.check_config()

    def _check_retention(self, event_type: str) -> None:
        """Refuse what would need events of this type for longer than they are kept."""
        for name in self.aggregations_of(event_type):
            self.aggregation(name).config  # noqa: B018

    def _collect(self, group: Group, unknown: type[UnknownName]) -> dict[str, Item]:
        items = unite(registered_items(group))
        for name, overrides in self._settings[group.setting].items():
            if not isinstance(overrides, Mapping):
                raise DefinitionError(f"{group.setting}[{name!r}] must be a dict: {overrides!r}")
            items[name] = _overridden(group, items, name, overrides, unknown)
        return items


class RegisteredQuery:
    """Be a query that is ready for use; its class is imported and made on first use."""

    def __init__(self, item: Item) -> None:
        self.name = item.name
        self.owner = item.owner
        self.title = item.title
        self.declaration: Query = item.declare()
        if self.declaration.permission is None:
            raise DefinitionError(
                f"{item.title} has no 'permission': give a callable(query_name, params) -> bool, "
                "such as stats_pipeline.permissions.allow_everyone"
            )

    @property
    def description(self) -> str:
        """Return the one line that its owner wrote."""
        return self.declaration.description

    @cached_property
    def instance(self) -> Any:
        """Return the query object, made of its class and ``query_config``."""
        self._check_signature()
        try:
            return self._query_class(self.name, **self.declaration.query_config)
        except TypeError as error:
            raise self._unfit(error) from error

    def check_config(self) -> None:
        """Refuse a ``query_config`` that the class does not take.

        Makes the query object where the class says that this costs nothing, as ours do; of others
        the signature says what they take.
        """
        if getattr(self._query_class, "is_made_at_start", False):
            self.instance  # noqa: B018 - its constructor checks
        else:
            self._check_signature()

    @cached_property
    def _query_class(self) -> Any:
        return load(self.declaration.query_class, owner=self.title)

    def _check_signature(self) -> None:
        config = self.declaration.query_config
        try:
            signature = inspect.signature(self._query_class)
        except (TypeError, ValueError):  # none to be had, as for some built-in classes
            return
        takes = list(signature.parameters.values())[1:]  # the first is the name
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes):
            known = [parameter.name for parameter in takes]
            check_keys(config, known, what=QUERIES.nested_key, owner=self.title)
        try:
            signature.bind(self.name, **config)
        except TypeError as error:
            raise self._unfit(error) from error

    def _unfit(self, error: TypeError) -> DefinitionError:
        return DefinitionError(
            f"{self.title}: {self._query_class.__name__} can't be made of query_config "
            f"{sorted(self.declaration.query_config)}: {error}"
        )

    def permits(self, params: Mapping[str, Any]) -> bool:
        """Tell whether the current caller may run it with these parameters."""
        permission = load(self.declaration.permission, owner=self.title)
        return bool(permission(self.name, params))


def _item(items: Mapping[str, Item], name: str, unknown: type[UnknownName]) -> Item:
    if name not in items:
        raise unknown(name, items)
    return items[name]


def _overridden(
    group: Group,
    items: Mapping[str, Item],
    name: str,
    overrides: Mapping[str, Any],
    unknown: type[UnknownName],
) -> Item:
    owner = f"the host's {group.setting}"
    if name in items and not overrides.get("replaces"):
        return merge(items[name], overrides, owner=owner)
    item = read_item(group, {group.name_key: name, **overrides}, owner=owner)
    if not group.is_complete(item.keys):
        raise unknown(name, items, f" in {group.setting}, which nobody registered")
    return item
