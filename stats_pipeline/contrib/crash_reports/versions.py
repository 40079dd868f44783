"""The table of versions: their counters side by side, with what people know of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stats_pipeline import TermsQuery
from stats_pipeline.errors import DefinitionError

Bucket = Mapping[str, Any]

#: Facts about a version, which people set (see `stats annotations`).
RELEASED_ON = "released_on"
FLAGS = ("is_official", "is_beta")


class VersionsQuery:
    """Answer one bucket for each version, as a `TermsQuery` does.

    A bucket has all counters, `value` (the number of reports), the day on which the version was
    `first_seen`, the day on which it was `released_on` (the first one unless people know better),
    and the flags `is_official` and `is_beta` (false unless they say so).

    Args:
        name: the query's name, for messages.
        aggregation: one of all time, with the metric `first_seen`.
        dimension: the field whose values are versions; also the parameter that chooses some.
        counters: of the aggregation, in the order of the answer.
        time_zone: IANA name; where days begin, as in the aggregations of days.

    Raises:
        DefinitionError: there is no such time zone.
    """

    #: Making one reads nothing, so a wrong configuration can be refused when the app is set up.
    is_made_at_start = True

    def __init__(
        self,
        name: str,
        *,
        aggregation: str,
        dimension: str,
        counters: Sequence[str],
        time_zone: str = "UTC",
    ) -> None:
        self._dimension = dimension
        self._numbers = ["value", *counters]
        self._zone = _load_zone(time_zone, owner=f"query {name!r}")
        self._rows = TermsQuery(
            name,
            aggregation=aggregation,
            aggregated_fields=[dimension],
            optional_filters={dimension: dimension},
            metric_fields={
                "first_seen": ("min", "first_seen"),
                **{counter: ("sum", counter) for counter in counters},
            },
            annotations={dimension: [RELEASED_ON, *FLAGS]},
        )

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """Return what it may be asked with; no dates, since its numbers are of all time."""
        allowed = (self._dimension, "size", "source")
        return [each for each in self._rows.parameters if each["name"] in allowed]

    @property
    def annotations(self) -> Mapping[str, Sequence[str]]:
        """Return which facts answers show, for those who set them: row field -> names."""
        return self._rows.annotations

    def check(self, params: Mapping[str, Any]) -> None:
        """Refuse parameters that no rows could answer, without reading anything."""
        self._rows.check(params)

    def check_rows(self, rows_of: Callable[[str | None, str | None], Any]) -> None:
        """Refuse a configuration that the declared rows can't answer, without reading anything."""
        self._rows.check_rows(rows_of)

    def run(self, /, **params: Any) -> dict[str, Any]:
        """Return the answer: all numbers in total, and the versions, the highest `value` first.

        Raises:
            InvalidParameter: naming what is unknown or wrong, and what is allowed.
        """
        answer = self._rows.run(**params)
        # Of all versions together these say nothing.
        del answer["first_seen"], answer["annotations"]
        return {**answer, "buckets": [self._version(bucket) for bucket in answer["buckets"]]}

    def _version(self, bucket: Bucket) -> dict[str, Any]:
        # Rows that were counted elsewhere need not say when a version was first seen.
        seen = bucket["first_seen"]
        first_seen = None if seen is None else self._day_of(seen)
        facts = bucket["annotations"][self._dimension]
        version = {
            "key": bucket["key"],
            **{name: bucket[name] for name in self._numbers},
            "first_seen": first_seen,
            RELEASED_ON: facts[RELEASED_ON] or first_seen,
            # Not what is true to Python, as the text "no" is.
            **{flag: facts[flag] is True for flag in FLAGS},
        }
        if "imported" in bucket:  # of rows that were counted elsewhere, as in any answer
            version["imported"] = bucket["imported"]
        return version

    def _day_of(self, time: str) -> str:
        return datetime.fromisoformat(time).astimezone(self._zone).date().isoformat()


def _load_zone(name: str, *, owner: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DefinitionError(
            f"{owner}: time_zone={name!r} is not a time zone; use an IANA name such as 'UTC' or "
            "'Europe/Zurich'"
        ) from None
