"""Sources: where the rows come from that were counted elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stats_pipeline.errors import DefinitionError
from stats_pipeline.model import Filter
from stats_pipeline.registry.definitions import SOURCE

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """Be the rows of one aggregation that come from one source.

    Attributes:
        aggregation: of the rows.
        source: their label.
        rows: how many there are.
        first, last: starts of the first and the last interval that they are of, ISO 8601 UTC.
    """

    aggregation: str
    source: str
    rows: int
    first: str
    last: str

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return asdict(self)


def list_sources(pipeline: Pipeline) -> list[SourceEntry]:
    """Return the sources of imported rows, by aggregation and name."""
    indices: dict[str, str] = {}
    for name in sorted(pipeline.registries.aggregation_items):
        # One that is declared wrongly does not hide the others.
        with suppress(DefinitionError):
            if index := pipeline.registries.aggregation(name).imported_index:
                indices[name] = index
    there = pipeline.store.index_uuids(list(indices.values()))
    return [
        entry
        for name, index in indices.items()
        if index in there
        for entry in _of_index(pipeline, name, index)
    ]


def _of_index(pipeline: Pipeline, aggregation: str, index: str) -> Iterator[SourceEntry]:
    found: dict[str, SourceEntry] = {}
    pipeline.store.refresh([index])
    with pipeline.store.snapshot([index]) as rows:
        for group in rows.groups(Filter(), [SOURCE, "timestamp"], {}):
            source, start = group.key
            before = found.get(source)
            number = group.count + (before.rows if before else 0)
            first = before.first if before else start
            found[source] = SourceEntry(aggregation, source, number, first, start)
    yield from found.values()
