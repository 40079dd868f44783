"""What a host declares, and the small values that travel between the stages.

Pure: no I/O, no Flask. Declarations are frozen; what they name by dotted path is imported by the
registry on first use, so that declaring something costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stats_pipeline.errors import DefinitionError

#: One flat dict of JSON values with a `timestamp`.
Event = dict[str, Any]

EventBuilder = Callable[..., "Event | list[Event] | None"]
Preprocessor = Callable[[Event], "Event | None"]

#: A thing, or the dotted path of it (``package.module.name`` or ``package.module:name``).
Importable = Any

#: What a condition may ask for; a document's field holds nothing else that can be matched.
VALUE_TYPES = (str, bool, int, float, datetime)

#: What to write in place of None.
INSTEAD_OF_NONE = {
    "include": "to keep documents without the field, exclude the values that you don't want",
    "exclude": "to leave documents without the field out, include the values that you want",
}


class Drop(Exception):
    """Leave an event out on purpose; raised by a preprocessor, counted under its reason."""

    def __init__(self, reason: str) -> None:
        # As text, whatever it is: it becomes a key in the ledger.
        self.reason = str(reason)
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Where:
    """Keep documents by one field: first those with an included value, then not the excluded.

    Matching is exact and case-sensitive on the whole value. A document without the field has no
    included value and no excluded one.
    """

    field: str
    include: Sequence[Any] | None = None
    exclude: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        if not self.include and not self.exclude:
            raise DefinitionError(
                f"Where({self.field!r}) keeps everything: give include, exclude or both "
                "a list with at least one value"
            )
        for name in ("include", "exclude"):
            values = getattr(self, name)
            # Of a text, each character would be a value.
            if isinstance(values, str | bytes) or not isinstance(values, Collection | None):
                raise DefinitionError(
                    f"Where({self.field!r}): {name} is a list of values, not {values!r}"
                )
            for value in values or ():
                self._check(name, value)
            if isinstance(values, Set):  # whose order is another one in each process
                object.__setattr__(self, name, tuple(sorted(values, key=repr)))

    def _check(self, name: str, value: object) -> None:
        """Refuse what no document can have: it would be a condition without effect."""
        if value is None:
            raise DefinitionError(
                f"Where({self.field!r}): {name} has None, but a missing value is none that could "
                f"match; {INSTEAD_OF_NONE[name]}"
            )
        if not isinstance(value, VALUE_TYPES):
            raise DefinitionError(
                f"Where({self.field!r}): {name} has {value!r}, which no field can match; a value "
                "is text, a number, true or false, or a time"
            )


@dataclass(frozen=True, slots=True)
class Between:
    """Keep documents whose time field lies in ``[start, end)``; None leaves a side open.

    A naive time is UTC.
    """

    field: str
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            bound = getattr(self, name)
            if not isinstance(bound, datetime | None):
                raise DefinitionError(
                    f"between({self.field!r}): the {name} is a datetime or None, not {bound!r}"
                )
            if bound is not None and bound.tzinfo is None:
                object.__setattr__(self, name, bound.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Filter:
    """Be a store-neutral condition on documents: all of its clauses hold."""

    clauses: tuple[Where | Between, ...] = ()

    def __post_init__(self) -> None:
        clauses: Any = self.clauses
        wrong = [clauses]
        if isinstance(clauses, tuple):
            wrong = [each for each in clauses if not isinstance(each, Where | Between)]
        if wrong:
            raise DefinitionError(
                f"A Filter has a tuple of conditions, and {wrong[0]!r} is none; add them one by "
                "one, as Filter().where('kind', include=['crash'])"
            )

    def where(
        self, field: str, include: Iterable[Any] | None = None, exclude: Iterable[Any] | None = None
    ) -> Filter:
        """Return a filter that also asks for this field (see `Where`)."""
        return self.and_(Where(field, _as_values(include), _as_values(exclude)))

    def between(
        self, field: str, start: datetime | None = None, end: datetime | None = None
    ) -> Filter:
        """Return a filter that also asks for a time in ``[start, end)``."""
        return self.and_(Between(field, start, end))

    def and_(self, *clauses: Where | Between) -> Filter:
        """Return a filter with these clauses as well."""
        return Filter((*self.clauses, *clauses))


def _as_values(values: Any) -> Any:
    """Return the values as a tuple; what is no list of values as it is, for `Where` to refuse."""
    if isinstance(values, str | bytes | Set) or not isinstance(values, Iterable):
        return values
    return tuple(values)


@dataclass(frozen=True, kw_only=True)
class EventType:
    """Declare an event type.

    Attributes:
        event_type: its name; the alias is ``events-stats-<name>``, the queue ``stats-<name>``.
        templates: package or folder with the index template's JSON.
        processor_class: what takes its events from the queue into the store.
        processor_config: see `stats_pipeline.registry.config.ProcessorConfig`.
        signal: blinker signal that is turned into events; None: fed by `publish` only.
        event_builders: run in order, each on the event that the one before returned.
        replaces: whether this takes the place of another owner's declaration of that name.
    """

    event_type: str
    templates: str = ""
    processor_class: Importable = "stats_pipeline.events.indexer:EventsIndexer"
    processor_config: Mapping[str, Any] = field(default_factory=dict)
    signal: Importable | None = None
    event_builders: Sequence[Importable] = ()
    replaces: bool = False


@dataclass(frozen=True, kw_only=True)
class Aggregation:
    """Declare an aggregation of one event type; its alias is ``stats-<name without -agg>``.

    Attributes:
        aggregation_name: its name.
        templates: package or folder with the rows' index template.
        aggregator_class: what computes the rows of an interval.
        aggregator_config: see `stats_pipeline.registry.config.AggregatorConfig`.
        replaces: whether this takes the place of another owner's declaration of that name.
    """

    aggregation_name: str
    templates: str = ""
    aggregator_class: Importable = "stats_pipeline.aggregations.aggregator:StatAggregator"
    aggregator_config: Mapping[str, Any] = field(default_factory=dict)
    replaces: bool = False


@dataclass(frozen=True, kw_only=True)
class Query:
    """Declare a named query.

    Attributes:
        query_name: its name.
        query_class: any class with ``__init__(name, **query_config)`` and ``run(**params)``.
        query_config: the keyword arguments of that class.
        permission: required; ``f(query_name, params) -> bool``.
        description: one line for those who list the queries.
        replaces: whether this takes the place of another owner's declaration of that name.
    """

    query_name: str
    query_class: Importable
    query_config: Mapping[str, Any] = field(default_factory=dict)
    permission: Importable | None = None
    description: str = ""
    replaces: bool = False
