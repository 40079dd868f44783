"""What the three kinds of queries have in common: parameters, and the way to the rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from stats_pipeline.clock import format_time
from stats_pipeline.errors import (
    DefinitionError,
    InvalidParameter,
    PartialResult,
    UnknownAggregation,
    UnwrittenIndex,
    nearest,
)
from stats_pipeline.model import Filter
from stats_pipeline.queries.config import read_query_config
from stats_pipeline.queries.imported import KEY, Imported
from stats_pipeline.queries.joining import add_annotations
from stats_pipeline.queries.parameters import (
    END_DATE,
    SOURCE,
    START_DATE,
    Parameter,
    filter_parameter,
    read_end,
    read_filter,
    read_start,
)
from stats_pipeline.queries.reading import Reader, Rows, current_reader
from stats_pipeline.queries.row_metrics import Tally, approximations
from stats_pipeline.queries.tables import key_columns
from stats_pipeline.queries.uniques import Uniques
from stats_pipeline.stores.protocol import Group, Snapshot


@dataclass(frozen=True, slots=True)
class Asked:
    """Be what a query is run with: the range, the filter that it means, and all parameters.

    `sources` are those of the rows that are asked for, None: any.
    """

    start: datetime | None
    end: datetime | None
    where: Filter
    params: Mapping[str, Any]
    sources: tuple[str, ...] | None = None

    @property
    def bounds(self) -> dict[str, Any]:
        """Return the range as an answer shows it: UTC, the end exclusive, null where open."""
        return {"start_date": time_text(self.start), "end_date": time_text(self.end)}


class RowsQuery(ABC):
    """Answer from the rows of one aggregation.

    Args:
        name: the query's name, for messages.
        query_config: see `stats_pipeline.queries.config.QueryConfig`; `required_filters` and
            `optional_filters` are parameter -> row field, `metric_fields` is key of the answer ->
            (kind, row field), where kinds are ``sum``, ``min``, ``max``, ``mean`` (or ``avg``)
            and ``unique``.

    Raises:
        DefinitionError: naming the query and the key that can't work.
    """

    own_parameters: ClassVar[tuple[Parameter, ...]] = (START_DATE, END_DATE)
    takes_aggregated_fields: ClassVar[bool] = False
    #: Whether its buckets are intervals.
    is_over_time: ClassVar[bool] = False
    #: Making one reads nothing, so a wrong configuration can be refused when the app is set up.
    is_made_at_start: ClassVar[bool] = True

    def __init__(self, name: str, **query_config: Any) -> None:
        self.name = name
        self._title = f"query {name!r}"
        self.config = read_query_config(
            query_config,
            owner=self._title,
            takes_aggregated_fields=self.takes_aggregated_fields,
            own_parameters=[parameter.name for parameter in self.own_parameters],
        )

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """Return what it may be asked with, as dicts for listings."""
        filters = [
            filter_parameter(name, required=name in self.config.required)
            for name in self.config.filters
        ]
        described = (*self.own_parameters, *filters, *self._more_parameters)
        return [parameter.as_dict() for parameter in described]

    @property
    def _more_parameters(self) -> tuple[Parameter, ...]:
        # What a host calls so is its own filter.
        return () if SOURCE.name in self.config.filters else (SOURCE,)

    @property
    def columns(self) -> Sequence[str]:
        """Return the names that a table of the answer's buckets has, also where there are none."""
        return ()

    @property
    def annotations(self) -> Mapping[str, Sequence[str]]:
        """Return which facts answers show, for those who set them: row field -> names."""
        return self.config.annotations

    def check(self, params: Mapping[str, Any]) -> None:
        """Refuse parameters that no rows could answer, without reading anything."""
        self._read(params, Rows(alias=""))

    def check_interval(self, interval: str) -> None:
        """Raise DefinitionError where rows of this interval can't answer, whatever is asked."""
        if self.is_over_time and interval == "all":
            raise DefinitionError(
                f"{self._title}: a {type(self).__name__} has no buckets for rows that cover all "
                "time each (aggregation_interval='all'); take a TotalsQuery or a TermsQuery, or "
                "an aggregation of a shorter interval"
            )

    def check_rows(self, rows_of: Callable[[str | None, str | None], Rows]) -> None:
        """Refuse a configuration that the declared rows can't answer, without reading anything.

        Args:
            rows_of: returns what is declared of an index, or of an aggregation.

        Raises:
            UnwrittenIndex: no aggregation writes these rows.
            DefinitionError: there is no such aggregation, or its rows can't answer.
        """
        try:
            rows = rows_of(self.config.index, self.config.aggregation)
        except UnknownAggregation as error:
            raise DefinitionError(f"{self._title}: {error}") from error
        if not rows.types:
            raise UnwrittenIndex(self._title, self.config.index)
        self._check_against(rows)
        for target, source in self.config.copy_fields.items():
            if isinstance(source, str) and source not in rows.types:
                raise DefinitionError(
                    f"{self._title}: copy_fields[{target!r}]: rows have no field {source!r}"
                    f"{nearest(source, rows.types)}"
                )

    def run(self, /, **params: Any) -> dict[str, Any]:
        """Return the answer: the asked range, numbers or buckets, and `as_of`.

        Where rows were imported, it says by `imported` how much of `value` each source has.

        Raises:
            InvalidParameter: naming what is missing, unknown or wrong, and what is allowed.
        """
        reader = current_reader()
        rows = reader.rows(self.config.index, self.config.aggregation)
        self._check_against(rows)
        asked = self._read(params, rows)
        self._check_uniques(rows, asked)
        try:
            answer, most_rows = self._read_rows(reader, rows, asked)
        except PartialResult:
            # A reset may just have deleted what was being read, and shown its own rows.
            answer, most_rows = self._read_rows(reader, rows, asked)
        if self.config.annotations:
            add_annotations(
                answer,
                self.config.annotations,
                reader.annotations,
                asked=asked.where,
                filtered=frozenset(self.config.filters.values()),
            )
        answer["as_of"] = time_text(rows.as_of)
        approximate = approximations(self.config.metrics, rows, most_rows=most_rows)
        return {**answer, "approximate": approximate} if approximate else answer

    def _read_rows(self, reader: Reader, rows: Rows, asked: Asked) -> tuple[dict[str, Any], int]:
        with reader.store.snapshot([rows.alias]) as snapshot:
            value = self.config.metrics[0]
            imported = Imported(reader.store, snapshot, rows, asked.where, value)
            asked = replace(asked, where=imported.choose(asked.sources))
            answer, most_rows = self._answer(snapshot, rows, asked)
            if of_all := imported.shares(()):
                (answer[KEY],) = of_all.values()
                self._add_shares(answer, imported)
        return answer, most_rows

    def _check_against(self, rows: Rows) -> None:
        self.check_interval(rows.interval)
        self.config.check_against(rows, owner=self._title)

    @abstractmethod
    def _answer(self, snapshot: Snapshot, rows: Rows, asked: Asked) -> tuple[dict[str, Any], int]:
        """Return the answer, and the most rows that one of its numbers was made of."""

    def _add_shares(self, answer: dict[str, Any], imported: Imported) -> None:
        """Say in each bucket of the answer how much of it was imported, level by level."""
        level: dict[tuple[Any, ...], dict[str, Any]] = {(): answer}
        fields = self.config.aggregated_fields
        for depth in range(1, len(fields) + 1):
            level = {
                (*key, bucket["key"]): bucket
                for key, above in level.items()
                for bucket in above["buckets"]
            }
            for key, shares in imported.shares(fields[:depth]).items():
                if key in level:  # and not cut off
                    level[key][KEY] = shares

    def _groups(
        self, snapshot: Snapshot, rows: Rows, asked: Asked, by: Sequence[str]
    ) -> Iterator[Group]:
        newest_by = ("timestamp", *rows.dimensions) if self.config.copy_fields else ()
        metrics = {metric.name: metric.store_metric for metric in self.config.metrics}
        for group in snapshot.groups(asked.where, by, metrics, newest_by=newest_by):
            newest = group.newest
            if newest is not None and rows.sketches:
                newest = {name: newest[name] for name in newest.keys() - rows.sketches}
            yield replace(group, newest=newest)

    def _uniques(self, rows: Rows) -> Uniques:
        return Uniques(self.config.metrics, rows, owner=self.name)

    def _check_uniques(self, rows: Rows, asked: Asked) -> None:
        """Refuse numbers of visitors over a time in which one visitor has several ids."""
        self._uniques(rows).check(asked.start, asked.end, interval=None)

    def _columns(self, *keys: str) -> list[str]:
        """Return the columns of a table of buckets that are known by these keys."""
        numbers = [*(metric.name for metric in self.config.metrics), *self.config.copy_fields]
        return [*key_columns(keys, numbers), *numbers]

    def _tally(self, group: Group) -> Tally:
        tally = Tally()
        tally.add(group, self.config.metrics)
        return tally

    def _numbers(self, tally: Tally) -> dict[str, Any]:
        """Return the metrics and the copied fields of the newest row; None where there is none."""
        numbers: dict[str, Any] = {m.name: tally.number(m) for m in self.config.metrics}
        for target, source in self.config.copy_fields.items():
            if tally.newest is None:
                numbers[target] = None
            elif isinstance(source, str):
                numbers[target] = tally.newest.get(source)
            else:
                numbers[target] = source(tally.newest)
        return numbers

    def _read(self, params: Mapping[str, Any], rows: Rows) -> Asked:
        self._check_names(params)
        start = self._value(params, "start_date", read_start, rows.zone)
        end = self._value(params, "end_date", read_end, rows.zone)
        if rows.interval == "all" and (start or end):
            name = "start_date" if start else "end_date"
            raise self._refusal(name, "can't be given: each of its rows covers all time")
        # A bare date reaches through its end, so the date before the start ends where that begins.
        first_of_end = self._value(params, "end_date", read_start, rows.zone)
        if start and end and start >= end and start > first_of_end:
            raise self._refusal(
                "start_date",
                f"({time_text(start)}) is after the 'end_date' ({time_text(first_of_end)})",
            )
        where = Filter().between("timestamp", start, end) if start or end else Filter()
        for name, field in self.config.filters.items():
            values = self._value(params, name, read_filter, rows.types.get(field))
            if values is not None:
                where = where.where(field, include=values)
        return Asked(start, end, where, params, self._sources(params, rows))

    def _sources(self, params: Mapping[str, Any], rows: Rows) -> tuple[str, ...] | None:
        if SOURCE.name in self.config.filters:
            return None
        sources: tuple[str, ...] | None = self._value(params, SOURCE.name, read_filter, "keyword")
        if sources is not None and rows.types and rows.imported_index is None:
            raise self._refusal(
                SOURCE.name, "can't be given: its rows have a field of their own of that name"
            )
        return sources

    def _value(
        self, params: Mapping[str, Any], name: str, read: Callable[[Any, Any], Any], context: Any
    ) -> Any:
        """Return a parameter's value, read by ``read(value, context)``; None if it isn't given.

        Clients of invenio-stats say null for a date that they don't give; in a filter it is wrong.
        """
        if params.get(name) is None and not (name in params and name in self.config.filters):
            return None
        try:
            return read(params[name], context)
        except ValueError as error:
            raise self._refusal(name, str(error)) from None

    def _check_names(self, params: Mapping[str, Any]) -> None:
        own, more = self.own_parameters, self._more_parameters
        allowed = [*(p.name for p in own), *self.config.filters, *(p.name for p in more)]
        for name in params:
            if name not in allowed:
                raise self._refusal(str(name)[:80], f"is unknown; allowed: {', '.join(allowed)}")
        for name in self.config.required:
            if name not in params:
                raise self._refusal(
                    name, f"is missing; required: {', '.join(self.config.required)}"
                )

    def _refusal(self, name: str, reason: str) -> InvalidParameter:
        return InvalidParameter(f"{self.name}: the parameter {name!r} {reason}", parameter=name)


def time_text(moment: datetime | None) -> str | None:
    """Return a time as an answer shows it, None for none."""
    return None if moment is None else format_time(moment)
