"""The reference: what rows must say after any history, told without any of the pipeline's code."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from stats_pipeline.model import Event

WINDOW = timedelta(seconds=30)
QUEUE = "queue"
FIRST = datetime(1, 1, 3, tzinfo=UTC)

#: aggregation -> (interval of a row, what it is computed from as a whole, zone of its days)
AGGREGATIONS = {
    "days-agg": ("day", "day", "Asia/Kolkata"),
    "months-agg": ("month", "day", "Europe/Zurich"),
    "ever-agg": ("all", "day", "UTC"),
    "people-agg": ("day", "day", "UTC"),
    "people-of-months-agg": ("month", "month", "UTC"),
}


class Reference:
    """Know what every event is by now, and which rows are final.

    Attributes:
        brought: (event id, revision) -> the event, and what has brought it: imports, the queue.
        erased: event id -> the revision that was erased.
        keys: month -> when the key of its visitors was made, None where that is destroyed.
        closed_before: events before it are too late.
        final: aggregation -> the events that its final rows were made of.
    """

    def __init__(self, *, is_sliding: bool) -> None:
        self._is_sliding = is_sliding
        self.keys: dict[str, datetime | None] = {}
        self._sealed_before = FIRST
        self.brought: dict[tuple[str, int], tuple[Event, set[str]]] = {}
        self.erased: dict[str, int] = {}
        self.closed_before = FIRST
        self.final: dict[str, list[Event]] = {name: [] for name in AGGREGATIONS}

    def bring(self, event: Event, by: str, now: datetime, *, is_exported: bool = False) -> bool:
        """Note an arrival; tell whether it is in time. Exported events need no key."""
        key, month = (event["event_id"], event["revision"]), f"{event['timestamp']:%Y-%m}"
        is_closed = event["timestamp"] < self.closed_before
        if not is_exported and not (is_closed and by == QUEUE):
            is_closed |= self.keys.setdefault(month, now) is None
        if not is_closed and key[1] > self.erased.get(key[0], -1):
            self.brought.setdefault(key, (event, set()))[1].add(by)
        return not is_closed

    def destroy_keys(self, before: datetime) -> None:
        """Destroy the keys that were made, and whose month ended, before this time."""
        for month, made in self.keys.items():
            end = span(datetime.fromisoformat(f"{month}-01T00:00Z"), "month", "UTC")[1]
            if made and max(made, end) < before:
                self.keys[month] = None

    def undo(self, import_id: str) -> None:
        """Take back what an import brought."""
        for _, by in self.brought.values():
            by.discard(import_id)

    def erase(self, user: str) -> None:
        """Forget what is stored of a person and has a key; only higher revisions come back.

        Of what nothing stands for any more there is nothing to find.
        """
        standing = {event["event_id"]: event for event in self.standing()}
        for key, (event, _) in list(self.brought.items()):
            stored = standing.get(key[0])
            if stored is None:
                continue
            has_key = self.keys[f"{stored['timestamp']:%Y-%m}"] is not None
            if has_key and user == stored["user_id"]:
                self.erased[key[0]] = max(stored["revision"], self.erased.get(key[0], -1))
            if has_key and user in (stored["user_id"], event["user_id"]):
                del self.brought[key]

    def seal(self, before: datetime) -> None:
        """Make all rows final that end there."""
        for name in AGGREGATIONS:
            self.final[name] = [e for e in self.counted(name) if _end(e, name) <= before]
        self._sealed_before = before

    def standing(self) -> list[Event]:
        """Return each event in its highest revision that something stands for."""
        found = sorted((key, event) for key, (event, by) in self.brought.items() if by)
        return list({event_id: event for (event_id, _), event in found}.values())

    def counted(self, name: str) -> list[Event]:
        """Return the events that are in the rows of an aggregation."""
        live = [event for event in self.standing() if not event["withdrawn"]]
        current = [e for e in live if not e["is_robot"] and not self._is_double(e, live)]
        open_ = [event for event in current if _end(event, name) > self._sealed_before]
        return self.final[name] + open_

    def rows(self, name: str) -> dict[tuple[datetime, str], list[Event]]:
        """Return (start, page) -> the events of that row, oldest first."""
        interval, _, zone = AGGREGATIONS[name]
        found: dict[tuple[datetime, str], list[Event]] = {}
        for event in sorted(self.counted(name), key=lambda event: event["timestamp"]):
            key = span(event["timestamp"], interval, zone)[0], event["page"]
            found.setdefault(key, []).append(event)
        return found

    def _is_double(self, event: Event, live: Iterable[Event]) -> bool:
        return (
            self._is_sliding
            and event["user_id"] is not None
            and any(
                timedelta(0) < other["timestamp"] - event["timestamp"] <= WINDOW
                and all(other[key] == event[key] for key in ("user_id", "page", "is_robot"))
                for other in live
            )
        )


def people(events: Iterable[Event]) -> int:
    """Return how many visitors there are; who is not known is somebody else in each event."""
    return len({event["user_id"] or event["event_id"] for event in events})


def span(moment: datetime, interval: str, zone: str) -> tuple[datetime, datetime]:
    """Return start and end of the interval, in UTC."""
    start = moment.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    if interval == "all":
        return datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    end: Any = start + timedelta(days=1)
    if interval == "month":
        start = start.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    return start.astimezone(UTC), end.astimezone(UTC)


def _end(event: Event, name: str) -> datetime:
    _, unit, zone = AGGREGATIONS[name]
    return span(event["timestamp"], unit, zone)[1]
