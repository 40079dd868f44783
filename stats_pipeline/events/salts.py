"""Salts: one random key for each event type and salt window, shared by all workers.

A visitor id is a keyed hash under the key of the event's salt window, so it can't be computed
without the key, and one person's ids of two windows can't be linked. When the window is over, and
old logs have had their time to be imported, the key is destroyed; a tombstone stays in its place,
so that no second key is ever made for that window.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from stats_pipeline.clock import EPOCH, Clock, format_time
from stats_pipeline.errors import TooLate
from stats_pipeline.intervals import INTERVALS, IntervalName, Period, period_of
from stats_pipeline.stores.protocol import Record, State

KIND = "salt"
KEY_BYTES = 32

#: The tag of a tombstone.
DESTROYED = "destroyed"

#: How long a process trusts its copy of a key.
CACHE_SECONDS = 120.0


class Salts:
    """Hash values under the key of an event's salt window.

    Args:
        state: where keys live.
        event_alias: whose keys.
        window: how long one key serves; ``forever`` or an interval's name.
        clock: for the age of cached keys.
        overlap_seconds: for how long after a change of keys values are also hashed under the key
            before, so that a click can be found as the next one of a click before the change.
    """

    def __init__(
        self,
        state: State,
        event_alias: str,
        window: str,
        clock: Clock,
        *,
        overlap_seconds: int = 0,
    ) -> None:
        self._state = state
        self._alias = event_alias
        self._interval: IntervalName = next((name for name in INTERVALS if name == window), "all")
        self._clock = clock
        self._overlap = timedelta(seconds=overlap_seconds)
        #: None stands for a key that was destroyed.
        self._cache: dict[datetime, tuple[bytes | None, float]] = {}

    def hash(self, moment: datetime, *parts: str | None) -> str:
        """Return 32 hexadecimal characters for these parts, each kept apart from the next.

        Raises:
            TooLate: the key of the moment's window was destroyed.
        """
        key = self._key(moment)
        if key is None:
            raise TooLate(
                f"timestamp {format_time(moment)}: visitors of its time were made anonymous for "
                "good, their key is destroyed; STATS_GRACE_DAYS says how long a key is kept"
            )
        return _hash(key, parts)

    def hash_before_change(self, moment: datetime, *parts: str | None) -> str | None:
        """Return the hash under the key of the window before, None where that is long over.

        None as well where that key is destroyed: the event is counted all the same, since its own
        key is there. Only a click just before the change, which this one makes a double click,
        can't be found any more.
        """
        earlier = moment - self._overlap
        if self._start(earlier) == self._start(moment):
            return None
        key = self._key(earlier)
        return None if key is None else _hash(key, parts)

    def _start(self, moment: datetime) -> datetime:
        window = self._window(moment)
        return EPOCH if window is None else window.start

    def _window(self, moment: datetime) -> Period | None:
        return None if self._interval == "all" else period_of(moment, self._interval)

    def _key(self, moment: datetime) -> bytes | None:
        start = self._start(moment)
        now = self._clock.monotonic()
        if start not in self._cache or now - self._cache[start][1] > CACHE_SECONDS:
            key = self._load(moment)
            self._cache = {
                s: kept for s, kept in self._cache.items() if now - kept[1] <= CACHE_SECONDS
            }
            self._cache[start] = (key, now)
        return self._cache[start][0]

    def _load(self, moment: datetime) -> bytes | None:
        window, start = self._window(moment), self._start(moment)
        name = f"{self._alias}/{format_time(start)}"
        body = {
            "key": secrets.token_hex(KEY_BYTES),
            "created": format_time(self._clock.now()),
            "end": None if window is None else format_time(window.end),
        }
        while True:
            found = self._state.get(KIND, [name])[0]
            if found is not None:
                return None if DESTROYED in found.tags else bytes.fromhex(found.body["key"])
            # Whoever is first makes the key; everybody reads the one that was stored.
            self._state.create(Record(KIND, name, self._alias, start, body=body))


def destroy_salts(
    state: State, *, now: datetime, before: datetime, dry_run: bool = False
) -> Mapping[str, int]:
    """Destroy the keys that were made, and whose window ended, before this time.

    Returns how many, by the alias of their event type; a dry run only counts them. What the store
    may still hold of them on its disk is for `State.expunge`.
    """
    destroyed: Counter[str] = Counter()
    for record in state.find(KIND, lacking=DESTROYED, end=before):
        # Both: old logs are imported under keys made today, and an event that comes late, or is
        # replayed, may be of the last minute of a long window.
        end = record.body["end"]
        if end is None or max(end, record.body["created"]) >= format_time(before):
            continue
        tombstone = replace(
            record, tags=frozenset({DESTROYED}), body={"destroyed": format_time(now)}
        )
        # Not where another run was faster: one of the two counts it.
        if dry_run or state.swap([tombstone]) == [True]:
            destroyed[record.group] += 1
    return dict(sorted(destroyed.items()))


def _hash(key: bytes, parts: tuple[str | None, ...]) -> str:
    return hmac.new(key, json.dumps(parts).encode(), hashlib.sha256).hexdigest()[:32]
