"""Salts: one random key for each event type and salt window, shared by all workers.

A visitor id is a keyed hash under the key of the event's salt window, so it can't be computed
without the key, and one person's ids of two windows can't be linked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from datetime import datetime, timedelta

from stats_pipeline.clock import EPOCH, Clock, format_time
from stats_pipeline.intervals import INTERVALS, IntervalName, period_of
from stats_pipeline.stores.protocol import Record, State

KIND = "salt"
KEY_BYTES = 32

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
        self._cache: dict[datetime, tuple[bytes, float]] = {}

    def hash(self, moment: datetime, *parts: str | None) -> str:
        """Return 32 hexadecimal characters for these parts, each kept apart from the next."""
        message = json.dumps(parts).encode()
        return hmac.new(self._key(moment), message, hashlib.sha256).hexdigest()[:32]

    def hash_before_change(self, moment: datetime, *parts: str | None) -> str | None:
        """Return the hash under the key of the window before, None where that is long over."""
        earlier = moment - self._overlap
        if self._start(earlier) == self._start(moment):
            return None
        return self.hash(earlier, *parts)

    def _start(self, moment: datetime) -> datetime:
        return EPOCH if self._interval == "all" else period_of(moment, self._interval).start

    def _key(self, moment: datetime) -> bytes:
        start = self._start(moment)
        key, loaded = self._cache.get(start, (b"", 0.0))
        now = self._clock.monotonic()
        if not key or now - loaded > CACHE_SECONDS:
            key = self._load(start)
            self._cache = {
                s: kept for s, kept in self._cache.items() if now - kept[1] <= CACHE_SECONDS
            }
            self._cache[start] = (key, now)
        return key

    def _load(self, start: datetime) -> bytes:
        name = f"{self._alias}/{format_time(start)}"
        body = {"key": secrets.token_hex(KEY_BYTES), "created": format_time(self._clock.now())}
        while True:
            found = self._state.get(KIND, [name])[0]
            if found is not None:
                return bytes.fromhex(found.body["key"])
            # Whoever is first makes the key; everybody reads the one that was stored.
            self._state.create(Record(KIND, name, self._alias, start, body=body))
