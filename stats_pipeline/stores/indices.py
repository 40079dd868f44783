"""Event indices: created once, on purpose, and remembered by name and UUID.

An index that was deleted or replaced behind our back is noticed by that: it is an operator's fault
for the intervals that it covers, and never makes rows empty. What retention deletes, and a loss
that somebody has acknowledged, leaves a tombstone in its record, so that the index is never made
again and nobody computes anything from what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime

from stats_pipeline.errors import IndexLost
from stats_pipeline.intervals import IntervalName, Period, period_label, period_of, tile
from stats_pipeline.stores.protocol import Record, Store
from stats_pipeline.templates import IndexTemplate

KIND = "index"

#: Why there are no events any more, in the body of a tombstone: one of the two below.
DELETED = "deleted"
RETENTION = "retention"
LOSS = "loss"

#: The tag of a tombstone of which nothing is left to clear away.
GONE = "gone"


class EventIndices:
    """Know the indices of one event type.

    Args:
        store: where they are.
        template: of the event type; its alias shows them all.
        interval: the period of one index.
    """

    def __init__(self, store: Store, template: IndexTemplate, interval: IntervalName) -> None:
        self._store = store
        self._template = template
        self._interval = interval
        self._known: set[str] = set()
        self._names: dict[date, str] = {}
        self._has_template = False

    def name_of(self, moment: datetime) -> str:
        """Return the name of the index that an event of this time belongs to."""
        # Asked for every event; an index holds whole days, so a day's name is worked out once.
        day = moment.date()
        if day not in self._names:
            start = period_of(moment, self._interval).start
            self._names[day] = f"{self._template.alias}-{period_label(start, self._interval)}"
        return self._names[day]

    def names_of(self, period: Period) -> list[str]:
        """Return the names of the indices of a period: of all time none, which has no end."""
        if _is_endless(period):
            return []
        return [self.name_of(part.start) for part in tile(period.start, period.end, self._interval)]

    def ensure(self, moment: datetime) -> str:
        """Return the name of the index for this time, which exists or existed by now.

        An index that was recorded is never created again, so that its loss can't be hidden.
        """
        name = self.name_of(moment)
        if name not in self._known:
            self.install_template()
            if self._store.state.get(KIND, [name]) == [None]:
                self._create(name, period_of(moment, self._interval))
            self._known.add(name)
        return name

    def install_template(self) -> None:
        """Put the template into the store, once for each process."""
        if not self._has_template:
            self._store.put_template(self._template)
            self._has_template = True

    def covering(self, period: Period) -> list[str]:
        """Return the names of the recorded indices that may hold events of this period.

        Read by key, so that an index is seen as soon as an event could be in it. Those with a
        tombstone are left out; see `gone`.

        Raises:
            IndexLost: one of them is gone or is not the one that was recorded.
        """
        records = [record for record in self._records(period) if DELETED not in record.body]
        _refuse_lost(self._store, records)
        return [record.key for record in records]

    def gone(self, period: Period) -> dict[str, str]:
        """Return the indices that had events of this period and have a tombstone, and why."""
        return {
            record.key: record.body[DELETED]
            for record in self._records(period)
            if DELETED in record.body
        }

    def until(self, end: datetime) -> Iterator[tuple[Record, Period]]:
        """Yield the records, and periods, of indices that end by then, oldest first.

        Those of which nothing is left to clear away are left out.
        """
        found = self._store.state.find(KIND, group=self._template.alias, lacking=GONE, end=end)
        for record in found:
            if record.time is not None:
                period = period_of(record.time, self._interval)
                if period.end <= end:
                    yield record, period

    def bury(self, record: Record, why: str) -> Record | None:
        """Put a tombstone in the place of this record; None where somebody else changed it."""
        tombstone = replace(record, body={**record.body, DELETED: why})
        if self._store.state.swap([tombstone]) != [True]:
            return None
        return self._store.state.get(KIND, [record.key])[0]

    def _records(self, period: Period) -> Sequence[Record]:
        state = self._store.state
        if _is_endless(period):
            return list(state.find(KIND, group=self._template.alias))
        found = state.get(KIND, self.names_of(period))
        return [record for record in found if record is not None]

    def _create(self, name: str, period: Period) -> None:
        uuid = self._store.create_index(name, self._template, aliased=True)
        body = {"uuid": uuid}
        # Two workers at once get the same UUID, so it does not matter whose record is kept.
        self._store.state.create(Record(KIND, name, self._template.alias, period.start, body=body))


def _is_endless(period: Period) -> bool:
    # All time, perhaps with a margin: its names have no end.
    return period.end.year > 9000


def refuse_lost(store: Store, names: Iterable[str]) -> None:
    """Raise IndexLost if one of these is an event index that is gone or was replaced."""
    found = store.state.get(KIND, sorted(set(names)))
    _refuse_lost(store, [each for each in found if each is not None and DELETED not in each.body])


def _refuse_lost(store: Store, records: Sequence[Record]) -> None:
    uuids = store.index_uuids([record.key for record in records]) if records else {}
    for record in records:
        if uuids.get(record.key) != record.body["uuid"]:
            state = "is gone" if record.key not in uuids else "was replaced by another one"
            raise IndexLost(
                f"The index {record.key} {state}: its rows stay as they are. Restore it from "
                "a backup; until then its intervals can't be recomputed. If it is lost for "
                f"good: `stats events acknowledge-loss {record.key}`"
            )
