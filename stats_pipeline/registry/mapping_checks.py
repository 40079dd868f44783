"""Whether the mappings of a template let both stores match alike what is stored.

Elasticsearch's mapping parameters can make it match something else than the values that documents
have, which then count there, and only there, otherwise or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from stats_pipeline.errors import DefinitionError
from stats_pipeline.fields import FILTERABLE, NUMBERS, WHOLE_NUMBERS
from stats_pipeline.metrics import Max, Mean, Min, Sum, Unique
from stats_pipeline.model import Filter
from stats_pipeline.registry.config import AggregatorConfig
from stats_pipeline.templates import Properties

#: Mapping parameter -> what it does to the values of a field.
REASONS: Mapping[str, str] = {
    "doc_values": "nothing can be grouped by it or measured",
    "ignore_above": "longer texts are never found",
    "index": "nothing is found by it",
    "normalizer": "texts are found in another form than they have",
    "null_value": "a missing value is found as one that is there",
    "script": "other values are found than those that are stored",
    "value": "a missing value is found as one that is there",
}

#: Lets the values of one field be found in another one as well.
COPY_TO = "copy_to"

#: Parameter -> the values with which it changes nothing.
HARMLESS: Mapping[str, Collection[Any]] = {
    "doc_values": (True, "true"),
    "index": (True, "true"),
}


def check_own_fields(
    properties: Properties, ours: Properties, *, owner: str, free: Collection[str] = ()
) -> None:
    """Refuse a template that gives fields of ours a type that can't hold what we store there.

    Args:
        properties: of the whole template.
        ours: field -> how we map it.
        owner: who declared it, for the error message.
        free: those of ours that may have any type.

    Raises:
        DefinitionError: naming the field, and what to do.
    """
    for name, mapping in ours.items():
        declared, own = _type(properties[name]), _type(mapping)
        if name not in free and not _fits(declared, own):
            raise DefinitionError(
                f"{owner}: its template gives {name!r} the type {declared}, but what is stored "
                f"there is of the type {own}; leave that field out of the template"
            )


def check_dimensions(
    config: AggregatorConfig, properties: Properties, of_event: Properties, *, owner: str
) -> None:
    """Refuse a template of rows with another type of a dimension: its rows would never heal.

    They are compared with new ones in the order of their dimensions, which depends on the type.
    """
    for name in config.aggregation_field:
        declared, own = _type(properties[name]), _type(of_event[name])
        if declared != own:
            raise DefinitionError(
                f"{owner}: its template gives the dimension {name!r} the type {declared}, but the "
                f"event's has {own}; leave that field out of the template"
            )


def check_event_fields(config: AggregatorConfig, of_event: Properties, *, owner: str) -> None:
    """Refuse to group by, filter by or measure a field of which something else would be found."""
    check_mappings(
        config.aggregation_field, of_event, what=f"{owner}: aggregation_field: the event's template"
    )
    for name, metric in config.metrics.items():
        fields = [clause.field for clause in metric.filter.clauses]
        if isinstance(metric, Sum | Min | Max | Mean | Unique):
            fields.append(metric.field)
        check_mappings(fields, of_event, what=f"{owner}: the metric {name!r}: the event's template")


def check_filter(where: Filter, of_event: Properties, *, owner: str) -> None:
    """Refuse query modifiers that filter by a field of which something else would be found."""
    fields = [clause.field for clause in where.clauses if clause.field in of_event]
    check_mappings(fields, of_event, what=f"{owner}: query_modifiers: the event's template")


def check_mappings(names: Collection[str], properties: Properties, *, what: str) -> None:
    """Refuse those of these fields whose parameters change what Elasticsearch matches.

    Args:
        names: of the fields.
        properties: of the whole template.
        what: whose template it is, for the error message.

    Raises:
        DefinitionError: naming field, parameter, what it does, and the way out.
    """
    for name in names:
        mapping = properties[name]
        if _type(mapping) not in FILTERABLE:
            continue
        for parameter in REASONS.keys() & mapping.keys():
            if not _is_harmless(parameter, mapping[parameter]):
                raise DefinitionError(
                    f"{what} maps {name!r} with {parameter}={mapping[parameter]!r}, with which "
                    f"{REASONS[parameter]} in Elasticsearch; leave that parameter out"
                )
        for other, copied in properties.items():
            if name in _as_list(copied.get(COPY_TO, ())):
                raise DefinitionError(
                    f"{what} maps {other!r} with {COPY_TO}={copied[COPY_TO]!r}, with which its "
                    f"values are found as those of {name!r} in Elasticsearch; leave that "
                    "parameter out"
                )


def plain(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a mapping without the parameters that are refused where a field is matched."""
    return {key: value for key, value in mapping.items() if key not in {*REASONS, COPY_TO}}


def _is_harmless(parameter: str, value: Any) -> bool:
    return value in HARMLESS.get(parameter, ())


def _fits(declared: str, own: str) -> bool:
    """Tell whether a field of the declared type holds all values of our own type."""
    if own in WHOLE_NUMBERS:
        return declared in NUMBERS
    if own in NUMBERS:
        return declared in NUMBERS - WHOLE_NUMBERS
    return declared == own


def _type(mapping: Mapping[str, Any]) -> str:
    return str(mapping.get("type", "object"))


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value
