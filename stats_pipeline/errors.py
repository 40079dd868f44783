"""Errors of stats_pipeline: one root, and families by who can do something about them.

StatsError
├── ConfigurationError          the host's configuration or a registration is wrong
│   ├── DefinitionError         a registered event type, aggregation or query can't work
│   │   └── UnwrittenIndex      a query reads an index that no aggregation writes
│   └── DuplicateRegistration   two owners registered one name
├── UnknownName                 asked for something that nobody registered or that is not active
│   ├── UnknownEventType
│   ├── UnknownAggregation
│   ├── UnknownQuery
│   └── UnknownDeadLetter
├── InvalidEvent                an event can't be taken as it is
│   └── TooLate                 its time is closed: what would be needed to count it is gone
├── QueryError                  a query can't be answered as it was asked
│   ├── InvalidParameter
│   └── PermissionDenied
├── UnreadableFile              a file can't be read to its end
├── StoreError                  the event store
│   ├── StoreUnavailable        try again later
│   │   └── StoreUnanswered     it was asked and did not answer: it may still do what was asked
│   ├── StoreRefused            an operator must act (privileges, limits, a wrong address)
│   ├── PartialResult           the store answered, but not from all of its data
│   └── IndexLost               an index that we made is gone or was replaced
├── QueueError                  the message queue
│   ├── QueueUnavailable        try again later
│   └── QueueRefused            an operator must act
│       └── MessageRefused      about one message: others may be taken
└── LeaseLost                   another run took over what this one was working on
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches
from itertools import takewhile

#: From this ratio on a name is taken for another one with a slip or two.
MISTYPED = 0.8

WORD = re.compile(r"[^\W_]+")


class StatsError(Exception):
    """Be the root of all errors that stats_pipeline raises on purpose."""


class ConfigurationError(StatsError):
    """Say what is wrong in the host's configuration, and what is allowed."""


class DefinitionError(ConfigurationError, ValueError):
    """Say which registered event type, aggregation or query can't work, and why."""


class UnwrittenIndex(DefinitionError):
    """Name the index that a query reads and no aggregation writes."""

    def __init__(self, query: str, index: str | None) -> None:
        self.index = index
        super().__init__(f"{query} reads the index {index!r}, which no aggregation writes")


class DuplicateRegistration(ConfigurationError):
    """Name both owners of a name that was registered twice without ``replaces=True``."""


class UnknownName(StatsError):
    """Name what is not known, and the nearest name that is."""

    kind = "name"

    def __init__(self, name: object, known: Iterable[str] = (), reason: str = "") -> None:
        self.name = name
        self.known = sorted(known)
        #: What a message says behind the name.
        self.advice = f"{reason}{nearest(name, self.known)}"
        super().__init__(f"Unknown {self.kind} {str(name)!r}{self.advice}")


class UnknownEventType(UnknownName):
    """Say that no active event type has this name, or these."""

    kind = "event type"


class UnknownAggregation(UnknownName):
    """Say that no aggregation has this name, or these."""

    kind = "aggregation"


class UnknownQuery(UnknownName):
    """Say that no query has this name, in the words that clients of invenio-stats know."""

    kind = "statistic"


class UnknownDeadLetter(UnknownName):
    """Name the dead letters that there are not, or not any more."""

    kind = "dead letter"

    def __init__(self, ids: Sequence[str], *, limit: int = 3) -> None:
        self.ids = list(ids)
        more = f" and {len(ids) - limit} more" if len(ids) > limit else ""
        way_out = "; `stats dead-letters list` shows those that there are"
        super().__init__(", ".join(self.ids[:limit]), reason=more + way_out)


class InvalidEvent(StatsError):
    """Say which field of an event is wrong, and what is allowed there."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        self.field = field
        super().__init__(message)


class TooLate(InvalidEvent):
    """Say that an event comes too late: what would be needed to count it once is gone."""


class QueryError(StatsError):
    """Say why a query can't be answered as it was asked."""


class InvalidParameter(QueryError):
    """Name a query's parameter that is missing, unknown or wrong, and what is allowed."""

    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        self.parameter = parameter
        super().__init__(message)


class PermissionDenied(QueryError):
    """Say that the caller may not run this query with these parameters."""

    def __init__(self, query_name: str) -> None:
        self.query_name = query_name
        super().__init__(f"You are not allowed to run the statistic {query_name!r}")


class UnreadableFile(StatsError):
    """Say which file can't be read, how far, and why."""


class StoreError(StatsError):
    """Say that the event store could not do what was asked."""


class StoreUnavailable(StoreError):
    """Say that the store does not answer now; the same call may work later."""


class StoreUnanswered(StoreUnavailable):
    """Say that the store was asked and did not answer; what was asked may still be done."""


class StoreRefused(StoreError):
    """Say that the store refuses and that an operator must act before it can work."""


class PartialResult(StoreError):
    """Say that an answer does not cover all data, so that nothing may be computed from it."""


class IndexLost(StoreError):
    """Say that an index which we created is gone or is not the one that we created."""


class QueueError(StatsError):
    """Say that the message queue could not do what was asked."""


class QueueUnavailable(QueueError):
    """Say that the queue does not take or give messages now; it may later."""


class QueueRefused(QueueError):
    """Say that the queue refuses and that an operator must act before it can work."""


class MessageRefused(QueueRefused):
    """Say that the queue refuses one message for what it is, while it may take others."""


class LeaseLost(StatsError):
    """Say that this run no longer holds the lease of what it was computing."""


def without_title(error: Exception, title: str) -> str:
    """Return what an error says behind a title, which it may begin with itself: said once."""
    return str(error).removeprefix(f"{title}: ")


def nearest(name: object, known: Iterable[str], *, prefix: str = "", limit: int = 24) -> str:
    """Return the end of an error message: the nearest known name, else the known ones.

    Args:
        name: what was given.
        known: what could be meant.
        prefix: what all of them begin with, and what therefore makes none of them nearer.
        limit: how many of the known ones are listed.
    """
    names = sorted(known)
    meant = _meant(str(name).removeprefix(prefix), [each.removeprefix(prefix) for each in names])
    if meant:
        *others, last = (repr(f"{prefix}{each}") for each in meant)
        return f"; did you mean {', '.join(others)}{' or ' if others else ''}{last}?"
    if not names:
        return ""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"; known: {', '.join(names[:limit])}{more}"


def _meant(name: str, known: Sequence[str], *, limit: int = 3) -> Sequence[str]:
    """Return the name that is mistyped, else those that this is a part of, else one like it."""
    close = get_close_matches(name, known)  # the nearest first, which is kept among equals
    closest = [max(close, key=lambda each: _likeness(name, each))] if close else []
    if closest and _ratio(name, closest[0]) >= MISTYPED:
        return closest
    words = set(WORD.findall(name))
    longer = [each for each in known if words and words <= set(WORD.findall(each))]
    if longer:
        return sorted(sorted(longer, key=lambda each: -_ratio(name, each))[:limit])
    return closest


def _ratio(name: str, known: str) -> float:
    return SequenceMatcher(None, known, name).ratio()


def _likeness(name: str, known: str) -> tuple[float, int]:
    begins_alike = takewhile(lambda pair: pair[0] == pair[1], zip(name, known, strict=False))
    # Of names that are about as much alike, the one that begins so: who shortens drops the end.
    return round(_ratio(name, known), 1), len(list(begins_alike))
