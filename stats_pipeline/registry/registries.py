"""The three registries of one app, each worked out on first use and then kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from stats_pipeline.errors import (
    DuplicateRegistration,
    StatsError,
    UnknownAggregation,
    UnknownEventType,
    UnknownName,
    UnknownQuery,
    UnwrittenIndex,
    nearest,
)
from stats_pipeline.names import listed
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
    unite,
)
from stats_pipeline.registry.overriding import host_keys, load_named, overridden
from stats_pipeline.registry.registered_query import RegisteredQuery, RowsOf
from stats_pipeline.text import get_logger

logger = get_logger(__name__)


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
            raise UnknownEventType(name, self.active_event_types, self._why_not_active([name]))
        return self.registered_event_type(name)

    def event_types(self, names: Iterable[str] | None) -> list[EventDefinition]:
        """Return these active event types (None: all); refuse others, naming all of them."""
        active = self.active_event_types
        wanted = active if names is None else listed(names, parameter="types")
        unknown = [name for name in wanted if name not in active]
        if unknown:
            shown = ", ".join(map(str, unknown))
            raise UnknownEventType(shown, active, self._why_not_active(unknown))
        return [self.registered_event_type(name) for name in wanted]

    def registered_event_type(self, name: str) -> EventDefinition:
        """Return a registered event type, active or not."""
        if name not in self._events:
            item = self._item(EVENTS, self.event_items, name, UnknownEventType)
            self._events[name] = EventDefinition(item, settings=self._settings)
        return self._events[name]

    def _why_not_active(self, names: Sequence[str]) -> str:
        try:
            registered = all(name in self.event_items for name in names)
        except StatsError:  # the caller asked about names; what else is wrong is not the answer
            registered = False
        verb = "is" if len(names) == 1 else "are"
        return f", which {verb} registered but not active (STATS_EVENTS)" if registered else ""

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
            item = self._item(AGGREGATIONS, self.aggregation_items, name, UnknownAggregation)
            self._aggregations[name] = AggregationDefinition(
                item, prefix=self._prefix, event_type=self.registered_event_type
            )
        return self._aggregations[name]

    def aggregations(self, names: Iterable[str] | None) -> list[AggregationDefinition]:
        """Return these aggregations (None: all); refuse unknown ones, naming all of them."""
        items = self.aggregation_items
        wanted = sorted(items) if names is None else listed(names, parameter="names")
        if unknown := [name for name in wanted if name not in items]:
            raise UnknownAggregation(", ".join(map(str, unknown)), items)
        return [self.aggregation(name) for name in wanted]

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
            item = self._item(QUERIES, self.query_items, name, UnknownQuery)
            self._queries[name] = RegisteredQuery(item)
        return self._queries[name]

    # All three

    def check_overrides(self, rows_of: RowsOf | None = None) -> None:
        """Refuse what is wrong in the host's configuration; loads only what it names.

        Args:
            rows_of: returns what is declared of an index, or of an aggregation; None: what queries
                name is not looked for in the rows.
        """
        for name, overrides in self._settings[EVENTS.setting].items():
            definition = self.event_type(name)
            if definition.config.retention_days is not None:  # checked where it is worked out
                self._check_retention(name)
            load_named(definition, EVENTS, host_keys(EVENTS, overrides, name))
        for name, overrides in self._settings[AGGREGATIONS.setting].items():
            if name in self.aggregation_items:  # else it is switched off
                self.aggregation(name).template  # noqa: B018
                load_named(
                    self.aggregation(name), AGGREGATIONS, host_keys(AGGREGATIONS, overrides, name)
                )
        for name, overrides in self._settings[QUERIES.setting].items():
            if name in self.query_items:
                query, keys = self.query(name), host_keys(QUERIES, overrides, name)
                if keys.keys() & {"query_class", QUERIES.nested_key}:
                    self._check_query(query, rows_of)
                load_named(query, QUERIES, keys)

    def _check_query(self, query: RegisteredQuery, rows_of: RowsOf | None) -> None:
        try:
            query.check_config(rows_of)
        except UnwrittenIndex as error:
            # Not refused: rows of before, or of somebody else, may be there.
            known = nearest(error.index, map(row_alias, self.aggregation_items))
            logger.warning("%s%s", error, known)

    def _check_retention(self, event_type: str) -> None:
        """Refuse what would need events of this type for longer than they are kept."""
        for name in self.aggregations_of(event_type):
            self.aggregation(name).config  # noqa: B018

    def _collect(self, group: Group, unknown: type[UnknownName]) -> dict[str, Item]:
        items = unite(registered_items(group))
        can_be_off = group is not EVENTS  # of which those are active that are named
        for name, overrides in self._settings[group.setting].items():
            if overrides is not None or not can_be_off:
                items[name] = overridden(group, items, name, overrides, unknown)
            elif name in items:
                del items[name]
            else:
                raise unknown(name, items, f" in {group.setting}, which nobody registered")
        return items

    def _item(
        self, group: Group, items: Mapping[str, Item], name: str, unknown: type[UnknownName]
    ) -> Item:
        if name not in items:
            is_off = name in self._settings[group.setting]
            raise unknown(name, items, f", which {group.setting} switches off" if is_off else "")
        return items[name]
