"""Losses: get on with an event type of which an index is gone for good.

The rows of its time stay as they are, and events that still come for it are too late: what they
would be counted together with is not there any more. An interval of which only a part is lost, as a
week that reaches into the next month, goes on: it is computed again from what is left of it. One
that follows from its days keeps those that are lost, and so all its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stats_pipeline.clock import MILLISECOND, format_time
from stats_pipeline.errors import InvalidParameter, nearest
from stats_pipeline.intervals import HOUR, IntervalName, Period, period_of
from stats_pipeline.registry import EventDefinition
from stats_pipeline.stores import marks
from stats_pipeline.stores.indices import DELETED, KIND, LOSS, RETENTION, EventIndices
from stats_pipeline.stores.protocol import Record
from stats_pipeline.stores.seals import Seal, change_seal
from stats_pipeline.text import get_logger

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

logger = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class LossReport:
    """Say which loss was acknowledged.

    Attributes:
        index: that is lost.
        event_type: of its events.
        start, end: of its period, ISO 8601 UTC: its rows stay, late events are too late.
        shrunk: aggregation -> starts of its intervals that lie in this time in part, and are
            computed from what is left.
    """

    index: str
    event_type: str
    start: str
    end: str
    shrunk: Mapping[str, Sequence[str]]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


def acknowledge_loss(pipeline: Pipeline, index: str) -> LossReport:
    """Acknowledge that an event index is lost for good; may be repeated, can't be undone.

    Raises:
        InvalidParameter: no such index was ever made, or it is there.
    """
    state = pipeline.store.state
    record, definition = _find(pipeline, index)
    indices = EventIndices(pipeline.store, definition.template, definition.config.index_interval)
    _refuse_living(pipeline, record)
    assert record.time is not None
    period = period_of(record.time, definition.config.index_interval)
    # First for workers: from here on nothing is on its way into it.
    seal = change_seal(state, definition.alias, lambda seal: seal.with_lost(period))
    if DELETED not in record.body and indices.bury(record, LOSS) is None:
        return acknowledge_loss(pipeline, index)
    # Whatever lies in this time in part has one of these two hours, and is computed again now
    # instead of when the next event comes.
    marks.touch(state, definition.alias, [period.start, period.end - HOUR])
    logger.warning("The loss of %s was acknowledged", index)
    return LossReport(
        index=index,
        event_type=definition.name,
        start=format_time(period.start),
        end=format_time(period.end),
        shrunk=dict(_shrunk(pipeline, definition.name, period, seal)),
    )


def _shrunk(
    pipeline: Pipeline, event_type: str, lost: Period, seal: Seal
) -> Iterator[tuple[str, list[str]]]:
    """Yield each aggregation with intervals of which a part is lost and that don't stay."""
    for name in pipeline.registries.aggregations_of(event_type):
        aggregation = pipeline.registries.aggregation(name)
        config = aggregation.config
        unit: IntervalName = "day" if aggregation.follows_from_days else config.aggregation_interval
        edges = (lost.start, lost.end - MILLISECOND)
        periods = sorted({period_of(edge, unit, config.time_zone) for edge in edges})
        starts = [
            format_time(each.start)
            for each in periods
            if not seal.is_lost(each) and not seal.is_sealed(each)
        ]
        if starts:
            yield name, starts


def _find(pipeline: Pipeline, index: str) -> tuple[Record, EventDefinition]:
    registries = pipeline.registries
    (record,) = pipeline.store.state.get(KIND, [index])
    for name in registries.active_event_types:
        definition = registries.event_type(name)
        if record is not None and record.group == definition.alias:
            return record, definition
    known = [found.key for found in pipeline.store.state.find(KIND) if DELETED not in found.body]
    raise InvalidParameter(
        f"no active event type has, or had, an index {index!r}{nearest(index, known)}",
        parameter="index",
    )


def _refuse_living(pipeline: Pipeline, record: Record) -> None:
    if record.body.get(DELETED) == RETENTION:
        raise InvalidParameter(
            f"the index {record.key} is not lost: retention deleted it", parameter="index"
        )
    uuids = pipeline.store.index_uuids([record.key])
    if DELETED not in record.body and uuids.get(record.key) == record.body["uuid"]:
        raise InvalidParameter(
            f"the index {record.key} is not lost: it is there, and it is the one that was made",
            parameter="index",
        )
