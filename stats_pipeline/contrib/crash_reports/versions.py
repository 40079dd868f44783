"""The table of versions: the counters of both event types side by side, with what people know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stats_pipeline import TermsQuery
from stats_pipeline.errors import DefinitionError, InvalidParameter

Bucket = Mapping[str, Any]

#: Facts about a version, which people set (see `stats annotations`).
RELEASED_ON = "released_on"
FLAGS = ("is_official", "is_beta")


class VersionsQuery:
    """Answer one bucket for each version that any event type has, as a `TermsQuery` does.

    A bucket has all counters, `value` (the number of reports), the day on which the version was
    `first_seen`, the day on which it was `released_on` (the first one unless people know better),
    and the flags `is_official` and `is_beta` (false unless they say so).

    Args:
        name: the query's name, for messages.
        dimension: the field whose values are versions; also the parameter that chooses some.
        counters: aggregation of all time with the metric `first_seen` -> its counters.
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
        dimension: str,
        counters: Mapping[str, Sequence[str]],
        time_zone: str = "UTC",
    ) -> None:
        self._name = name
        self._dimension = dimension
        self._numbers = ["value", *(counter for each in counters.values() for counter in each)]
        self._zone = _load_zone(time_zone, owner=f"query {name!r}")
        self._parts = [
            TermsQuery(
                name,
                aggregation=aggregation,
                aggregated_fields=[dimension],
                optional_filters={dimension: dimension},
                metric_fields={
                    "first_seen": ("min", "first_seen"),
                    **{counter: ("sum", counter) for counter in own},
                },
                annotations={dimension: [RELEASED_ON, *FLAGS]},
            )
            for aggregation, own in counters.items()
        ]

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """Return what it may be asked with; no dates, since its numbers are of all time."""
        parameters = self._parts[0].parameters
        return [parameter for parameter in parameters if parameter["name"] == self._dimension]

    @property
    def annotations(self) -> Mapping[str, Sequence[str]]:
        """Return which facts answers show, for those who set them: row field -> names."""
        return self._parts[0].annotations

    def check(self, params: Mapping[str, Any]) -> None:
        """Refuse parameters that no rows could answer, without reading anything."""
        if "size" in params:  # which would cut off other versions in each part
            raise InvalidParameter(
                f"{self._name}: the parameter 'size' is unknown; allowed: {self._dimension}",
                parameter="size",
            )
        self._parts[0].check(params)

    def check_rows(self, rows_of: Callable[[str | None, str | None], Any]) -> None:
        """Refuse a configuration that the declared rows can't answer, without reading anything."""
        for part in self._parts:
            part.check_rows(rows_of)

    def run(self, /, **params: Any) -> dict[str, Any]:
        """Return the answer: all numbers in total, and the versions, the highest `value` first.

        Raises:
            InvalidParameter: naming what is unknown or wrong, and what is allowed.
        """
        self.check(params)
        answers = [part.run(**params) for part in self._parts]
        found: dict[str, list[Bucket]] = {}
        for answer in answers:
            for bucket in answer["buckets"]:
                found.setdefault(bucket["key"], []).append(bucket)
        versions = [self._version(key, buckets) for key, buckets in found.items()]
        as_of = [answer["as_of"] for answer in answers]
        return {
            **self._sums(answers),
            "type": "bucket",
            "field": self._dimension,
            "key_type": "terms",
            "buckets": sorted(versions, key=lambda version: (-version["value"], version["key"])),
            "as_of": None if None in as_of else min(as_of),
        }

    def _version(self, key: str, buckets: Sequence[Bucket]) -> dict[str, Any]:
        # Rows that were counted elsewhere need not say when a version was first seen.
        seen = [bucket["first_seen"] for bucket in buckets if bucket["first_seen"] is not None]
        first_seen = min(map(self._day_of, seen), default=None)
        facts = buckets[0]["annotations"][self._dimension]
        return {
            "key": key,
            **self._sums(buckets),
            "first_seen": first_seen,
            RELEASED_ON: facts[RELEASED_ON] or first_seen,
            # Not what is true to Python, as the text "no" is.
            **{flag: facts[flag] is True for flag in FLAGS},
        }

    def _sums(self, parts: Sequence[Bucket]) -> dict[str, float]:
        return {name: sum(part.get(name, 0.0) for part in parts) for name in self._numbers}

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
