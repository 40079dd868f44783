"""History: rows that were counted elsewhere, for intervals of which there are no events.

They have a `source`, which computed rows have not, and lie in an index of their own beside those of
every generation. Readers see it by the same alias; an update or reset never looks into it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

from stats_pipeline.aggregations.imported import counted
from stats_pipeline.clock import format_time, parse_time
from stats_pipeline.errors import InvalidParameter, nearest
from stats_pipeline.fields import FIELD_TYPES
from stats_pipeline.intervals import HOUR, Period, period_of, tile
from stats_pipeline.model import Filter
from stats_pipeline.pipeline.moving.event_lines import BadLine, read_object
from stats_pipeline.pipeline.moving.imports import check_label
from stats_pipeline.queries.parameters import read_start
from stats_pipeline.registry.definitions import SOURCE
from stats_pipeline.stores import marks
from stats_pipeline.stores.protocol import Delete, Operation, Put
from stats_pipeline.stores.writing import write_all

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

BATCH = 1_000

#: Bad lines and intervals that are named.
NAMED = 20

#: Gives the lines of the file, number and bytes, each time that it is called.
ReadLines = Callable[[], Iterable[tuple[int, bytes]]]


@dataclass(slots=True)
class HistoryReport:
    """Say what was imported, or what was not.

    Attributes:
        aggregation: of the rows.
        source: their label.
        rows: how many there are in the file.
        intervals: how many intervals they are of.
        bad: lines that are no rows; where there are any, nothing was imported.
        bad_lines: the first of them, with number and reason.
    """

    aggregation: str
    source: str
    rows: int = 0
    intervals: int = 0
    bad: int = 0
    bad_lines: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


class History:
    """Import and delete the rows of one aggregation that were counted elsewhere.

    Raises:
        UnknownAggregation: nobody declares it.
        InvalidParameter: the source can't be a label, or rows have an own field of that name.
    """

    def __init__(self, pipeline: Pipeline, aggregation: str, source: str) -> None:
        check_label("source", source)
        self._store = pipeline.store
        self._clock = pipeline.clock
        self._definition = pipeline.registries.aggregation(aggregation)
        self._source = source
        index = self._definition.imported_index
        if index is None:
            raise InvalidParameter(
                f"{self._definition.title} has a field {SOURCE!r} of its own, so imported rows "
                "could not be told apart; give that field another name",
                parameter="aggregation",
            )
        self._index = index

    def take(self, lines: ReadLines) -> HistoryReport:
        """Import the rows of a file; the same rows again change nothing.

        Nothing is written where one line is bad or would be counted twice. What a kill leaves
        undone, the same call does.

        Raises:
            InvalidParameter: there are events, or rows computed of them, in one of the intervals;
                or rows of another source with the same interval and dimensions.
        """
        report = HistoryReport(self._definition.name, self._source)
        periods: set[Period] = set()
        for number, line in lines():
            try:
                periods.add(self._row(line)[0])
                report.rows += 1
            except BadLine as error:
                report.bad += 1
                if len(report.bad_lines) < NAMED:
                    report.bad_lines.append({"line": number, "reason": str(error)})
        report.intervals = len(periods)
        if periods and not report.bad:
            self._refuse_overlap(periods)
            self._refuse_other_sources(self._row(line)[1] for _, line in lines())
            self._store.put_template(self._definition.template)
            self._store.create_index(self._index, self._definition.template, aliased=True)
            self._write(self._put(*self._row(line)) for _, line in lines())
        return report

    def delete(self) -> int:
        """Delete all rows of this source; return how many there were.

        Raises:
            InvalidParameter: there are none.
        """
        sources = self._sources()
        if self._source not in sources:
            known = nearest(self._source, sources) or "; there are none of any source"
            raise InvalidParameter(
                f"{self._definition.title} has no rows of source {self._source!r}{known}",
                parameter="source",
            )
        where = Filter().where(SOURCE, [self._source])
        with self._store.snapshot([self._index]) as rows:
            number = rows.count(where)
            found = rows.scan(where, ["timestamp"])
            self._write(Delete(document.index, document.id) for document in found)
        return number

    def _row(self, line: bytes) -> tuple[Period, dict[str, Any]]:
        """Return the interval of a row, and what it says; raise BadLine."""
        given = read_object(line)
        config, types = self._definition.config, self._definition.template.types
        try:
            start = read_start(given.get("start"), config.time_zone)
        except ValueError as error:
            raise BadLine(f"its start {error}") from None
        period = period_of(start, config.aggregation_interval, config.time_zone)
        if period.start != start:
            raise BadLine(
                f"its start is not the start of its interval ({config.aggregation_interval}), "
                f"which is {format_time(period.start)}"
            )
        for name in ("count", *config.aggregation_field):
            if given.get(name) is None:
                raise BadLine(f"it has no {name!r}")
        for name, bound in (("timestamp", period.start), ("end", period.end)):
            if name in given and given[name] != format_time(bound):
                raise BadLine(f"its {name} is not {format_time(bound)}, which belongs to its start")
        return period, _checked({**given, "start": format_time(period.start)}, types)

    def _put(self, period: Period, row: Mapping[str, Any]) -> Put:
        own = {
            "timestamp": row["start"],
            "end": format_time(period.end),
            SOURCE: self._source,
        }
        return Put(self._index, self._id(self._source, row), {**row, **own})

    def _id(self, source: str, row: Mapping[str, Any]) -> str:
        """Return the id that this source's row of the interval and dimensions has, if any."""
        key = [row[name] for name in self._definition.config.aggregation_field]
        text = json.dumps(["imported", source, row["start"], *key])
        return sha256(text.encode()).hexdigest()[:32]

    def _sources(self) -> list[str]:
        """Return the sources of which there are rows."""
        self._store.refresh([self._index])
        with self._store.snapshot([self._index]) as rows:
            return [group.key[0] for group in rows.groups(Filter(), [SOURCE], {})]

    def _refuse_other_sources(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Refuse rows that another source has as well; the file is read only where one could."""
        others = [source for source in self._sources() if source != self._source]
        if not others:
            return
        remaining = iter(rows)
        while batch := list(islice(remaining, BATCH)):
            for source in others:
                ids = [self._id(source, row) for row in batch]
                for row, stored in zip(batch, self._store.get(self._index, ids), strict=True):
                    if stored is not None:
                        raise self._counted_by(source, row)

    def _counted_by(self, source: str, row: Mapping[str, Any]) -> InvalidParameter:
        dimensions = {name: row[name] for name in self._definition.config.aggregation_field}
        return InvalidParameter(
            f"{self._definition.title}: source {source!r} has a row of {row['start']} with "
            f"{dimensions} already, so this one would be counted again; leave such rows out, "
            f"or delete the others with `stats rows delete {self._definition.name} "
            f"--source {source}`",
            parameter="source",
        )

    def _refuse_overlap(self, periods: Collection[Period]) -> None:
        taken = {*self._periods_with_events(periods), *self._periods_with_rows(periods)}
        if taken:
            named = ", ".join(format_time(period.start) for period in sorted(taken)[:NAMED])
            raise InvalidParameter(
                f"{self._definition.title}: {len(taken):,} of the intervals have events or rows of "
                f"their own, which imported rows would count again ({named}); leave these out",
                parameter="start",
            )

    def _periods_with_events(self, periods: Collection[Period]) -> Iterator[Period]:
        """Yield the intervals of which there are events: a mark stays when an import is undone."""
        first, last = _bounds(periods)
        state, alias = self._store.state, self._definition.event.alias
        # A mark is that of a UTC hour, which two intervals of a zone may share.
        marked = {
            period
            for mark in state.find(marks.KIND, group=alias, start=first - HOUR, end=last)
            if mark.time is not None
            for period in self._periods(mark.time, mark.time + HOUR)
            if period in periods
        }
        self._store.refresh([alias])
        with self._store.snapshot([alias]) as events:
            for period in marked:
                if events.count(Filter().between("timestamp", period.start, period.end)):
                    yield period

    def _periods_with_rows(self, periods: Collection[Period]) -> Iterator[Period]:
        """Yield the intervals of which there are rows that were not imported."""
        first, last = _bounds(periods)
        where = Filter().between("timestamp", first, last)
        self._store.refresh([self._definition.alias])
        with self._store.snapshot([self._definition.alias]) as rows:
            for text, _ in counted(rows, where):
                start = parse_time(text)
                found = self._periods(start, start + HOUR)
                yield from (period for period in found if period in periods)

    def _periods(self, start: datetime, end: datetime) -> Iterator[Period]:
        config = self._definition.config
        return tile(start, end, config.aggregation_interval, config.time_zone)

    def _write(self, operations: Iterable[Operation]) -> None:
        remaining = iter(operations)
        while batch := list(islice(remaining, BATCH)):
            write_all(self._store, batch, self._clock, what="a row")
        self._store.refresh([self._index])


def _bounds(periods: Collection[Period]) -> tuple[datetime, datetime]:
    return min(period.start for period in periods), max(period.end for period in periods)


def _checked(row: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """Return the row in the form in which it is stored."""
    checked = {}
    for name, value in row.items():
        if name not in types or name == SOURCE:
            known: Sequence[str] = [each for each in types if each != SOURCE]
            raise BadLine(f"rows have no field {name!r}{nearest(name, known)}")
        if value is None:
            continue
        try:
            checked[name] = FIELD_TYPES[types[name]](value)
        except ValueError as error:
            raise BadLine(f"its {name!r} ({types[name]}): {error}") from None
    if checked["count"] < 0:
        raise BadLine("its 'count' is below 0")
    return checked
