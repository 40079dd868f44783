"""The order of preprocessors: what one of them removes can't be read by those behind it.

Anonymise first, and the agent is gone: no robot is ever flagged, and nothing fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from stats_pipeline.errors import DefinitionError
from stats_pipeline.model import Event

ATTRIBUTE = "stats_pipeline_fields"

Function = TypeVar("Function", bound=Callable[[Event], Event])


@dataclass(frozen=True, slots=True)
class Fields:
    """Say which raw fields of an event a preprocessor reads, and which it removes."""

    read: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


def fields_of_event(
    *, read: Iterable[str], removed: Iterable[str] = ()
) -> Callable[[Function], Function]:
    """Declare what a preprocessor reads and removes, so that its place in a chain is checked."""

    def declare(function: Function) -> Function:
        vars(function)[ATTRIBUTE] = Fields(frozenset(read), frozenset(removed))
        return function

    return declare


def check_order(preprocessors: Sequence[Any], *, owner: str) -> None:
    """Refuse a preprocessor that reads what one before it removes.

    Args:
        preprocessors: those that declare nothing, as a host's own, and dotted paths pass.
        owner: whose they are, for the message.

    Raises:
        DefinitionError: naming both, the field, and an order that works.
    """
    for place, remover in enumerate(preprocessors):
        removed = _fields(remover).removed
        behind = preprocessors[place + 1 :]
        late = [each for each in behind if _fields(each).read & removed]
        if late:
            field = min(_fields(late[0]).read & removed)
            raise DefinitionError(
                f"{owner}: {_name(late[0])} reads {field!r}, which {_name(remover)} before it has "
                f"removed; give the preprocessors in this order: "
                f"{', '.join(map(_name, _mended(preprocessors, place, late)))}"
            )


def _mended(preprocessors: Sequence[Any], place: int, late: Sequence[Any]) -> list[Any]:
    """Return them with the late ones before the remover; one that comes twice comes once."""
    remover = preprocessors[place]
    return [
        *preprocessors[:place],
        *(each for each in late if each is not remover),
        remover,
        *(each for each in preprocessors[place + 1 :] if each not in late),
    ]


def _fields(preprocessor: object) -> Fields:
    fields = getattr(preprocessor, ATTRIBUTE, None)
    return fields if isinstance(fields, Fields) else Fields()


def _name(preprocessor: object) -> str:
    if isinstance(preprocessor, str):
        return preprocessor
    return str(getattr(preprocessor, "__name__", preprocessor))
