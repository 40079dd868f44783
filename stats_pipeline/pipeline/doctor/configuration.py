"""Whether all that is registered can be used: loaded here, before an event or a caller needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from stats_pipeline.pipeline.doctor.report import Examination, Hop, failed
from stats_pipeline.queries.listing import aggregations_read
from stats_pipeline.registry import AggregationDefinition, EventDefinition, Registries
from stats_pipeline.registry.items import Item

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

T = TypeVar("T")

MEND = (
    "mend it where its owner registers it, or replace it in the host's STATS_* settings; "
    "aggregations and queries can be switched off there, with None"
)

#: What it means that nothing is there.
NONE = {
    "event types": "none is active, so no events are recorded: name them in STATS_EVENTS",
    "aggregations": "none is registered, so nothing is counted",
    "queries": "none is registered, so nothing can be asked",
}


@dataclass(frozen=True, kw_only=True)
class Registered:
    """Be what can be used.

    Attributes:
        registries: whether the three of them could be read at all.
        event_types: the active ones.
        aggregations: all of them.
    """

    registries: list[Hop]
    event_types: list[EventDefinition]
    aggregations: list[AggregationDefinition]


def examine(examination: Examination, pipeline: Pipeline) -> Registered:
    """Load every active event type, every aggregation and every query."""
    registries = pipeline.registries
    events, event_types = _check_all(
        examination,
        "event types",
        lambda: _active(registries),
        lambda name: _check_event_type(registries.event_type(name)),
        lambda _name: True,
    )
    rows, aggregations = _check_all(
        examination,
        "aggregations",
        lambda: registries.aggregation_items,
        lambda name: _check_aggregation(registries.aggregation(name)),
        lambda name: name not in registries.inactive_aggregations,
    )
    queries, _ = _check_all(
        examination,
        "queries",
        lambda: registries.query_items,
        lambda name: _check_query(pipeline, name),
        lambda name: _is_in_use(pipeline, name),
    )
    return Registered(
        registries=[events, rows, queries], event_types=event_types, aggregations=aggregations
    )


def _check_all(
    examination: Examination,
    kind: str,
    collect: Callable[[], Mapping[str, Item]],
    check: Callable[[str], T],
    is_in_use: Callable[[str], bool],
) -> tuple[Hop, list[T]]:
    """Return a hop for the registry, and what can be used; the others get hops of their own.

    What is not in use, as of packages whose event types are not active, is only counted.
    """
    try:
        items = collect()
    except Exception as error:  # noqa: BLE001 - packages are asked, whose code may raise anything
        return examination.add(failed(kind, error, MEND, is_configuration=True)), []
    found: dict[str, T] = {}
    for name, item in sorted(items.items()):
        try:
            found[name] = check(name)
        except Exception as error:  # noqa: BLE001 - as above
            examination.add(failed(item.title, error, MEND, is_configuration=True))
    number = f"{len(found)} of {len(items)}" if len(found) < len(items) else f"{len(found)}"
    used = list(filter(is_in_use, found))
    rest = f", and {len(found) - len(used)} of event types that are not active"
    detail = (
        f"{number} can be used: {', '.join(used) or '-'}{rest if len(used) < len(found) else ''}"
    )
    more = ", ".join(name for name in found if name not in used)
    hop = Hop(name=kind, status="ok", detail=detail if items else NONE[kind], more=more)
    return examination.add(hop), list(found.values())


def _is_in_use(pipeline: Pipeline, query_name: str) -> bool:
    registries = pipeline.registries
    read = aggregations_read(registries.query(query_name), pipeline.declared_rows)
    return not read or bool(read - registries.inactive_aggregations)


def _active(registries: Registries) -> Mapping[str, Item]:
    return {name: registries.event_items[name] for name in registries.active_event_types}


def _check_event_type(definition: EventDefinition) -> EventDefinition:
    # Each is worked out and checked on first use.
    definition.config  # noqa: B018
    definition.template  # noqa: B018
    definition.signal  # noqa: B018
    definition.builders  # noqa: B018
    definition.preprocessors  # noqa: B018 - and their order
    definition.processor_class  # noqa: B018
    return definition


def _check_aggregation(definition: AggregationDefinition) -> AggregationDefinition:
    definition.config  # noqa: B018
    definition.modifiers  # noqa: B018
    definition.template  # noqa: B018
    definition.aggregator_class  # noqa: B018
    return definition


def _check_query(pipeline: Pipeline, name: str) -> None:
    query = pipeline.registries.query(name)
    query.permission  # noqa: B018 - loaded and checked on first use
    query.check_rows(pipeline.declared_rows)
