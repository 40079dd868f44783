"""Definitions: registrations with their defaults, checks and templates worked out on first use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from blinker import Signal

from stats_pipeline.clock import format_time
from stats_pipeline.errors import DefinitionError, UnknownEventType
from stats_pipeline.fields import WHOLE_NUMBERS
from stats_pipeline.importing import load, load_callables, load_class
from stats_pipeline.intervals import IntervalName
from stats_pipeline.metrics import Count, Mean, Metric, Sum, Unique, sketch_field
from stats_pipeline.model import Aggregation, EventBuilder, EventType, Filter, Preprocessor
from stats_pipeline.registry.config import (
    AggregatorConfig,
    ProcessorConfig,
    read_aggregator_config,
    read_processor_config,
)
from stats_pipeline.registry.event_needs import check_retention, rows_follow_from_days
from stats_pipeline.registry.field_checks import check_fields
from stats_pipeline.registry.items import Item
from stats_pipeline.registry.mapping_checks import (
    check_dimensions,
    check_event_fields,
    check_filter,
    check_mappings,
    check_own_fields,
    plain,
)
from stats_pipeline.registry.order import check_order
from stats_pipeline.registry.salt_windows import check_salt_window, salt_windows
from stats_pipeline.templates import IndexTemplate, complete_template, load_template

KEYWORD = {"type": "keyword"}
DATE = {"type": "date"}
BOOLEAN = {"type": "boolean"}
LONG = {"type": "long"}
DOUBLE = {"type": "double"}
#: Of sketches.
BINARY = {"type": "binary"}

#: The field of rows that were counted elsewhere which says where; and what stands behind the alias
#: in the name of their index (no name of an aggregation has a dot).
SOURCE = "source"
IMPORTED = "-all.imported"

#: What every stored event may have, beside the fields of its template.
EVENT_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "event_id": KEYWORD,
    "timestamp": DATE,
    "received_at": DATE,
    "revision": {"type": "short"},
    "withdrawn": BOOLEAN,
    "is_robot": BOOLEAN,
    "is_machine": BOOLEAN,
    "visitor_id": KEYWORD,
    "unique_session_id": KEYWORD,
    "country": KEYWORD,
    "unique_id": KEYWORD,
    # Only with the sliding rule; see `stats_pipeline.events.clicks`.
    "click_key": KEYWORD,
    "previous_click_key": KEYWORD,
    "is_double_click": BOOLEAN,
    # Only of what was imported; see `stats_pipeline.pipeline.moving.imports`.
    "import_ids": KEYWORD,
}

#: Names become parts of index and queue names, which Elasticsearch wants in lower case.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


class EventDefinition:
    """Be an event type that is ready for use; what it names is imported when it is asked for."""

    def __init__(self, item: Item, *, settings: Mapping[str, Any]) -> None:
        check_name(item)
        prefix = settings["STATS_INDEX_PREFIX"]
        self.name = item.name
        self.owner = item.owner
        self.title = item.title
        self.declaration: EventType = item.declare()
        self.alias = f"{prefix}events-stats-{item.name}"
        self.queue_name = f"{prefix}stats-{item.name}"
        #: The host's, for what preprocessors need of them.
        self.settings = settings

    @cached_property
    def config(self) -> ProcessorConfig:
        """Return the checked `processor_config`."""
        return read_processor_config(self.declaration.processor_config, owner=self.title)

    @property
    def fixed(self) -> dict[str, Any]:
        """Return what can't change once there are events, as `stores.fixed` takes it.

        They would get other ids, versions or indices.
        """
        values = {
            "double_click_window": self.config.double_click_window,
            "double_click_rule": self.config.double_click_rule,
            "salt_window": self.config.salt_window,
            "index_interval": self.config.index_interval,
            "STATS_EARLIEST": format_time(self.settings["STATS_EARLIEST"]),
        }
        way_out = "set it back, or register the events under a new event type"
        return {"name": self.alias, "values": values, "title": self.title, "way_out": way_out}

    @cached_property
    def processor_class(self) -> Any:
        """Return the class that takes this type's events from the queue into the store."""
        target = self.declaration.processor_class
        return load_class(target, key="processor_class", method="index", owner=self.title)

    @cached_property
    def preprocessors(self) -> tuple[Preprocessor, ...]:
        """Return the preprocessors, in the order in which they run."""
        entries = self.config.preprocessors
        preprocessors = load_callables(entries, key="preprocessors", owner=self.title)
        check_order(preprocessors, owner=self.title)
        return preprocessors

    @cached_property
    def signal(self) -> Signal | None:
        """Return the blinker signal, None where events come by `publish` only."""
        signal = load(self.declaration.signal, owner=self.title)
        if signal is not None and not isinstance(signal, Signal):
            raise DefinitionError(f"{self.title}: signal={signal!r} is not a blinker signal")
        return signal

    @cached_property
    def builders(self) -> tuple[EventBuilder, ...]:
        """Return the event builders, in the order in which they run."""
        entries = self.declaration.event_builders
        return load_callables(entries, key="event_builders", owner=self.title)

    @cached_property
    def template(self) -> IndexTemplate:
        """Return the index template: the host's, with what every event may have."""
        if not self.declaration.templates:
            raise DefinitionError(f"{self.title} has no 'templates'")
        names = [self.name, f"events-stats-{self.name}"]
        body = load_template(self.declaration.templates, names, owner=self.title)
        template = complete_template(self.alias, body, EVENT_FIELDS, owner=self.title)
        check_own_fields(template.properties, EVENT_FIELDS, owner=self.title)
        # We find events by these ourselves.
        check_mappings(EVENT_FIELDS, template.properties, what=f"{self.title}: its template")
        return template


class AggregationDefinition:
    """Be an aggregation that is ready for use, checked against the event type it counts."""

    def __init__(
        self, item: Item, *, prefix: str, event_type: Callable[[str], EventDefinition]
    ) -> None:
        check_name(item)
        self.name = item.name
        self.owner = item.owner
        self.title = item.title
        self.declaration: Aggregation = item.declare()
        #: Without the index prefix: what a query's ``index`` says.
        self.alias_name = row_alias(item.name)
        self.alias = f"{prefix}{self.alias_name}"
        self._event_type = event_type

    @cached_property
    def config(self) -> AggregatorConfig:
        """Return the checked `aggregator_config`."""
        config = read_aggregator_config(self.declaration.aggregator_config, owner=self.title)
        try:
            event = self._event_type(config.event)
        except UnknownEventType as error:
            raise DefinitionError(f"{self.title}: {error}") from error
        check_fields(config, event.template.types, owner=self.title)
        check_event_fields(config, event.template.properties, owner=self.title)
        check_salt_window(config, event.config, owner=self.title, event_title=event.title)
        days = event.config.retention_days
        # Without it, nothing is loaded that is not needed yet.
        if days is not None and not rows_follow_from_days(config, self.aggregator_class):
            check_retention(config, days, owner=self.title, event_title=event.title)
        return config

    @cached_property
    def counters(self) -> tuple[str, ...]:
        """Return the fields of its rows that count events."""
        metrics = self.config.metrics
        return tuple(n for n, m in metrics.items() if isinstance(m, Count)) or ("count",)

    @cached_property
    def follows_from_days(self) -> bool:
        """Tell whether the rows of an interval are put together from those of its days."""
        return rows_follow_from_days(self.config, self.aggregator_class)

    @property
    def salt_windows(self) -> Mapping[str, IntervalName]:
        """Return metric -> salt window, for those that count visitors whose ids change."""
        return salt_windows(self.config, self.event.config)

    @property
    def imported_index(self) -> str | None:
        """Return the index of rows that were counted elsewhere, None where they can't be told."""
        config = self.config
        own = {*config.aggregation_field, *config.copy_fields, *config.metrics}
        return None if SOURCE in own else f"{self.alias}{IMPORTED}"

    @cached_property
    def modifiers(self) -> tuple[Callable[[Filter], Filter], ...]:
        """Return the query modifiers, in the order in which they are applied."""
        entries = self.config.query_modifiers
        return load_callables(entries, key="query_modifiers", owner=self.title)

    def check_filter(self, where: Filter) -> None:
        """Refuse what modifiers have made of a filter, if other events would be found by it."""
        check_filter(where, self.event.template.properties, owner=self.title)

    @cached_property
    def event(self) -> EventDefinition:
        """Return the event type that this aggregation counts."""
        return self._event_type(self.config.event)

    @cached_property
    def aggregator_class(self) -> Any:
        """Return the class that computes the rows of an interval."""
        target = self.declaration.aggregator_class
        return load_class(target, key="aggregator_class", method="rows", owner=self.title)

    @cached_property
    def template(self) -> IndexTemplate:
        """Return the rows' index template: the host's, with every field that a row has."""
        body: Mapping[str, Any] = {}
        if self.declaration.templates:
            names = [self.alias_name, self.name]
            body = load_template(self.declaration.templates, names, owner=self.title)
        fields, config = self._row_fields(), self.config
        template = complete_template(self.alias, body, fields, owner=self.title)
        properties, of_event = template.properties, self.event.template.properties
        check_dimensions(config, properties, of_event, owner=self.title)
        computed = [to for to, source in config.copy_fields.items() if callable(source)]
        check_own_fields(properties, fields, owner=self.title, free=computed)
        # Queries may ask for any field of rows.
        check_mappings(properties, properties, what=f"{self.title}: its template")
        return template

    def _row_fields(self) -> dict[str, Mapping[str, Any]]:
        config, of_event = self.config, self.event.template.properties
        event_fields = {name: plain(mapping) for name, mapping in of_event.items()}
        fields: dict[str, Mapping[str, Any]] = {
            "timestamp": DATE,
            "start": DATE,
            "end": DATE,
            "count": LONG,
            SOURCE: KEYWORD,
        }
        fields |= {name: event_fields[name] for name in config.aggregation_field}
        for target, source in config.copy_fields.items():
            fields[target] = event_fields[source] if isinstance(source, str) else KEYWORD
        for name, metric in config.metrics.items():
            fields[name] = _metric_mapping(metric, event_fields)
            if isinstance(metric, Unique):
                fields[sketch_field(name)] = BINARY
        return fields


def row_alias(aggregation_name: str) -> str:
    """Return the alias of an aggregation's rows, without the index prefix."""
    return f"stats-{aggregation_name.removesuffix('-agg')}"


def check_name(item: Item) -> None:
    """Refuse a name that can't be part of an index name."""
    if not NAME.fullmatch(item.name):
        raise DefinitionError(
            f"{item.title}: a name has up to 100 lower-case letters, digits, '-' and '_'"
        )


def _metric_mapping(
    metric: Metric, event_fields: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    if isinstance(metric, Count | Unique):
        return LONG
    if isinstance(metric, Mean):
        return DOUBLE
    field = event_fields[metric.field]
    if isinstance(metric, Sum):
        return LONG if field.get("type") in WHOLE_NUMBERS else DOUBLE
    return field
