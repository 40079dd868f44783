"""Salt windows: over which time the ids of visitors can be compared, and so counted.

Beyond a salt window nobody can tell that two ids are one person; a count would take it for two.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC

from stats_pipeline.errors import DefinitionError
from stats_pipeline.intervals import IntervalName, has_whole_hours
from stats_pipeline.metrics import Unique
from stats_pipeline.registry.config import AggregatorConfig, ProcessorConfig

#: Salt window -> the intervals that lie within one of it.
WITHIN: Mapping[str, tuple[IntervalName, ...]] = {
    "hour": ("hour",),
    "day": ("hour", "day"),
    "week": ("hour", "day", "week"),
    "month": ("hour", "day", "month"),
    "quarter": ("hour", "day", "month", "quarter"),
    "year": ("hour", "day", "month", "quarter", "year"),
}


def salt_windows(config: AggregatorConfig, event: ProcessorConfig) -> Mapping[str, IntervalName]:
    """Return metric -> salt window, for those that count visitors whose ids change.

    A session's id has its hour in it and is never compared with that of another one.
    """
    window = next((name for name in WITHIN if name == event.salt_window), None)
    if window is None or not _is_anonymized(event):
        return {}
    return {
        name: WITHIN[window][-1]
        for name, metric in config.metrics.items()
        if isinstance(metric, Unique) and metric.field == "visitor_id"
    }


def check_salt_window(
    config: AggregatorConfig, event: ProcessorConfig, *, owner: str, event_title: str
) -> None:
    """Refuse exact visitors of an interval in which one visitor has several ids.

    Raises:
        DefinitionError: naming the aggregation and what is allowed.
    """
    windows = salt_windows(config, event)
    if not windows:
        return
    window = next(iter(windows.values()))
    is_aligned = config.time_zone is UTC or (
        config.aggregation_interval == "hour" and has_whole_hours(config.time_zone)
    )
    if config.aggregation_interval not in WITHIN[window] or not is_aligned:
        raise DefinitionError(
            f"{owner}: visitors can't be told apart over one {config.aggregation_interval} of "
            f"{config.time_zone}, since their ids change with salt_window={window!r} (UTC) of "
            f"{event_title}; allowed in UTC: {', '.join(WITHIN[window])}. Give the event type a "
            "longer salt_window, or count 'unique_session_id'"
        )


def _is_anonymized(config: ProcessorConfig) -> bool:
    names = (getattr(entry, "__name__", entry) for entry in config.preprocessors)
    return any(str(name).endswith("anonymize_user") for name in names)
