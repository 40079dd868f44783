"""The typed form of ``processor_config`` and ``aggregator_config``, with defaults and checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, tzinfo
from typing import Any

from stats_pipeline.errors import DefinitionError
from stats_pipeline.intervals import INTERVALS, IntervalName, is_shorter, load_zone
from stats_pipeline.metrics import Metric, Unique, parse_metric, sketch_field
from stats_pipeline.model import Event, Importable
from stats_pipeline.registry.items import check_keys
from stats_pipeline.registry.order import check_order

SECONDS_A_DAY = 86_400
SECONDS_AN_HOUR = 3_600
#: Longer is for ever, and time itself has an end for Python.
MOST_RETENTION_DAYS = 36_500
INDEX_INTERVALS: tuple[IntervalName, ...] = ("day", "week", "month", "quarter", "year")
SALT_WINDOWS = ("hour", "day", "week", "month", "quarter", "year", "forever")

#: Registered values that this version can't honour: it refuses them rather than ignoring them.
NOT_YET = {"keep_agent": False}

DOUBLE_CLICK_RULES = ("fixed", "sliding")

#: Columns of every row, which no metric or copied field may be called.
ROW_FIELDS = ("timestamp", "start", "end", "count")

#: What the values of some keys must be, and how messages call it.
SHAPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "preprocessors": ((list, tuple), "a list"),
    "query_modifiers": ((list, tuple), "a list"),
    "aggregation_field": ((str, list, tuple), "a field's name or a list of names"),
    "copy_fields": (Mapping, "a dict"),
    "metrics": (Mapping, "a dict"),
    "event": (str, "an event type's name"),
    "time_zone": (str, "an IANA name such as 'Europe/Zurich'"),
}

CopySource = str | Callable[[Event], Any]


@dataclass(frozen=True, kw_only=True)
class ProcessorConfig:
    """Say how the events of one type are prepared and stored.

    Attributes:
        preprocessors: run in this order on each event.
        double_click_window: seconds in which several events of one visitor on one item count
            once; 0 is off.
        double_click_rule: ``fixed``: the day is cut into windows, of each the latest event is
            kept; ``sliding``: an event does not count if another one follows within the window.
        salt_window: how long a visitor id stays the same.
        index_interval: the period of one index.
        retention_days: how long events are kept at least; None: for ever. Rows stay.
        keep_agent: False.
    """

    preprocessors: tuple[Importable, ...] = (
        "stats_pipeline.events.preprocessors:flag_robots",
        "stats_pipeline.events.preprocessors:anonymize_user",
    )
    double_click_window: int = 10
    double_click_rule: str = "fixed"
    salt_window: str = "day"
    index_interval: IntervalName = "month"
    retention_days: int | None = None
    keep_agent: bool = False

    @property
    def sliding_seconds(self) -> int:
        """Return the window where the sliding rule holds, else 0."""
        return self.double_click_window if self.double_click_rule == "sliding" else 0


@dataclass(frozen=True, kw_only=True)
class AggregatorConfig:
    """Say what an aggregation counts, by what, and for which intervals.

    Attributes:
        event: the event type.
        aggregation_field: the dimensions, at least one.
        aggregation_interval: the interval of one row.
        index_interval: the period of one index; not shorter than a row's.
        time_zone: where days and longer intervals begin.
        copy_fields: row field -> event field, or a callable of the newest event.
        metrics: row field -> metric, beside the built-in `count`.
        query_modifiers: each changes the filter on the events that count.
    """

    event: str
    aggregation_field: tuple[str, ...]
    aggregation_interval: IntervalName = "day"
    index_interval: IntervalName = "month"
    time_zone: tzinfo = UTC
    copy_fields: Mapping[str, CopySource] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    query_modifiers: tuple[Importable, ...] = ("stats_pipeline.aggregations:exclude_robots",)


def read_processor_config(raw: Mapping[str, Any], *, owner: str) -> ProcessorConfig:
    """Return the checked configuration; raise DefinitionError naming owner and key."""
    _check_config_keys(raw, ProcessorConfig, "processor_config", owner)
    preprocessors = raw.get("preprocessors", ProcessorConfig.preprocessors)
    config = ProcessorConfig(**{**raw, "preprocessors": tuple(preprocessors)})
    # Functions can be checked now, those named by path when they are loaded.
    check_order(config.preprocessors, owner=owner)
    for key, only in NOT_YET.items():
        if getattr(config, key) != only:
            raise DefinitionError(f"{owner}: this version knows only {key}={only!r}")
    _check_choice(config.double_click_rule, DOUBLE_CLICK_RULES, "double_click_rule", owner)
    _check_choice(config.salt_window, SALT_WINDOWS, "salt_window", owner)
    _check_window(config, owner)
    _check_retention(config.retention_days, owner)
    _check_choice(config.index_interval, INDEX_INTERVALS, "index_interval", owner)
    return config


def _check_window(config: ProcessorConfig, owner: str) -> None:
    window = config.double_click_window
    if type(window) is not int or not 0 <= window <= SECONDS_A_DAY:
        raise DefinitionError(
            f"{owner}: double_click_window={window!r} must be whole seconds, up to a day; 0 is off"
        )
    if not window or config.double_click_rule == "sliding":
        return
    if SECONDS_A_DAY % window:
        raise DefinitionError(
            f"{owner}: double_click_window={window} must divide a day (10, 15, 20, 30, 60, ...): "
            "any other fixed window would straddle midnight"
        )
    if config.salt_window == "hour" and SECONDS_AN_HOUR % window:
        raise DefinitionError(
            f"{owner}: double_click_window={window} does not divide the hour of "
            "salt_window='hour': a visitor would have two ids in one window"
        )


def _check_retention(days: object, owner: str) -> None:
    if days is not None and (type(days) is not int or not 1 <= days <= MOST_RETENTION_DAYS):
        raise DefinitionError(
            f"{owner}: retention_days={days!r} must be whole days, from 1 to "
            f"{MOST_RETENTION_DAYS}; None keeps events for ever"
        )


def read_aggregator_config(raw: Mapping[str, Any], *, owner: str) -> AggregatorConfig:
    """Return the checked configuration; raise DefinitionError naming owner and key."""
    _check_config_keys(raw, AggregatorConfig, "aggregator_config", owner)
    for key in ("event", "aggregation_field"):
        if not raw.get(key):
            raise DefinitionError(f"{owner}: aggregator_config needs {key!r}")
    dimensions = raw["aggregation_field"]
    config = AggregatorConfig(
        event=raw["event"],
        aggregation_field=(dimensions,) if isinstance(dimensions, str) else tuple(dimensions),
        aggregation_interval=raw.get("aggregation_interval", "day"),
        index_interval=raw.get("index_interval", "month"),
        time_zone=load_zone(raw.get("time_zone", "UTC"), owner=owner),
        copy_fields=dict(raw.get("copy_fields", {})),
        metrics={n: parse_metric(m, owner=owner) for n, m in raw.get("metrics", {}).items()},
        query_modifiers=tuple(raw.get("query_modifiers", AggregatorConfig.query_modifiers)),
    )
    _check_choice(config.aggregation_interval, INTERVALS, "aggregation_interval", owner)
    _check_choice(config.index_interval, INDEX_INTERVALS, "index_interval", owner)
    _check_row(config, owner)
    return config


def _check_row(config: AggregatorConfig, owner: str) -> None:
    interval, index_interval = config.aggregation_interval, config.index_interval
    if interval != "all" and is_shorter(index_interval, interval):
        raise DefinitionError(
            f"{owner}: index_interval={index_interval!r} is shorter than "
            f"aggregation_interval={interval!r}; an index holds whole intervals"
        )
    names = [*ROW_FIELDS, *config.aggregation_field, *config.metrics]
    names += [sketch_field(n) for n, m in config.metrics.items() if isinstance(m, Unique)]
    # A dimension copied under its own name is no second field.
    dimensions = config.aggregation_field
    names += [to for to, source in config.copy_fields.items() if not to == source in dimensions]
    for name in {name for name in names if names.count(name) > 1}:
        raise DefinitionError(
            f"{owner}: a row would have two fields {name!r}; dimensions, metrics, their sketches "
            f"and copied fields need names of their own, other than {', '.join(ROW_FIELDS)}"
        )


def _check_config_keys(raw: Mapping[str, Any], config: type[Any], what: str, owner: str) -> None:
    check_keys(raw, [f.name for f in fields(config)], what=what, owner=owner)
    for key in SHAPES.keys() & raw.keys():
        shape, expected = SHAPES[key]
        if not isinstance(raw[key], shape):
            raise DefinitionError(f"{owner}: {key} must be {expected}, not {raw[key]!r}")


def _check_choice(value: object, allowed: tuple[str, ...], key: str, owner: str) -> None:
    if value not in allowed:
        raise DefinitionError(f"{owner}: {key}={value!r} is not one of {', '.join(allowed)}")
