"""A dead letter: an event that can't be counted, kept whole so that it can be mended.

The event is kept as it was before the first preprocessor, so it holds raw data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self, get_args

from stats_pipeline.clock import parse_time
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.model import Event, Filter
from stats_pipeline.stores.protocol import Document

Kind = Literal["invalid", "preprocessor", "rejected", "too_late", "undecodable"]

KINDS: tuple[Kind, ...] = get_args(Kind)

#: Characters of an error that are kept.
LONGEST_ERROR = 2_000

PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "id": {"type": "keyword"},
    "event_type": {"type": "keyword"},
    "kind": {"type": "keyword"},
    "stage": {"type": "keyword"},
    "error": {"type": "text", "index": False},
    "time": {"type": "date"},
    "tries": {"type": "integer"},
    # Not indexed: whatever made the event impossible must not make its dead letter impossible.
    "event": {"type": "text", "index": False},
}

When = str | datetime | None


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """Be an event that could not be counted.

    Attributes:
        id: deterministic, so that a redelivered message leaves one dead letter.
        event_type: the type whose queue it came from.
        event: as it was before the first preprocessor; text where it was not even JSON.
        kind: why, as one of five words.
        error: why, in a sentence.
        stage: where, as the preprocessor's name.
        time: when that was first so, ISO 8601 UTC.
        tries: how often it was tried, replays and redelivered messages included.
    """

    id: str
    event_type: str
    event: Any
    kind: Kind
    error: str
    stage: str
    time: str
    tries: int = 1

    @classmethod
    def of(cls, document: Document) -> DeadLetter:
        """Return the dead letter that `body` was stored of."""
        body = dict(document.body)
        return cls(**{**body, "event": json.loads(body["event"])})

    def after(self, first_time: str, tries: int) -> DeadLetter:
        """Return it with what is known of earlier tries."""
        return replace(self, time=first_time, tries=self.tries + tries)

    @property
    def is_event(self) -> bool:
        """Tell whether it may be put into a queue: what was no event would only come back."""
        return isinstance(self.event, dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the dead letter as JSON values."""
        # Not `asdict`, which copies the event as well, level by level.
        return dict(vars(self))

    def body(self) -> Event:
        """Return it as it is stored."""
        return {**self.as_dict(), "event": json.dumps(self.event)}


class Replayed(int):
    """Be how many dead letters are in their queues again.

    Attributes:
        kept: reason -> how many can't be put back for it, and stay.
    """

    kept: Mapping[str, int]

    def __new__(cls, number: int, kept: Mapping[str, int]) -> Self:
        """Make it of the number and what is kept."""
        replayed = super().__new__(cls, number)
        replayed.kept = kept
        return replayed

    def as_dict(self) -> dict[str, Any]:
        """Return both as JSON values."""
        return {"replayed": int(self), "kept": dict(self.kept)}


@dataclass(frozen=True, kw_only=True)
class DeadLetterSummary:
    """Say how many dead letters there are, and how fast they grow.

    Attributes:
        total: how many there are.
        last_day: how many of them came within the last 24 hours.
        oldest: the time of the oldest one, ISO 8601 UTC; None where there are none.
        types: event type -> kind -> how many.
    """

    total: int
    last_day: int
    oldest: str | None
    types: Mapping[str, Mapping[str, int]]

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return asdict(self)


def letters_where(event_type: str | None, kind: str | None, since: When, before: When) -> Filter:
    """Return the condition that these words, where they are given, put on dead letters.

    Raises:
        InvalidParameter: no dead letter can be of this kind, or a time is none.
    """
    where = Filter()
    if event_type is not None:
        where = where.where("event_type", [event_type])
    if kind is not None:
        if kind not in KINDS:
            raise InvalidParameter(
                f"kind {kind!r}: expected one of {', '.join(KINDS)}", parameter="kind"
            )
        where = where.where("kind", [kind])
    start, end = _time("since", since), _time("before", before)
    return where if start is end is None else where.between("time", start, end)


def _time(name: str, value: When) -> datetime | None:
    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        raise InvalidParameter(f"{name}: {error}", parameter=name) from None
