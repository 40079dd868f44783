"""Leases: one run at a time works on one interval of one aggregation.

A lease is a state record changed by compare-and-swap. It expires, so that a killed run does not
block the interval for ever. The holder renews it in a thread of its own, since the store may
compute for longer than a lease lasts, and checks it by the monotonic clock before each write. An
interval taken over from an expired lease may still be written to by a run that was only stopped,
and so may one of which a write was not answered. It is suspect for a day, in which it is repeated
at longer and longer intervals, and once more afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from stats_pipeline.clock import Clock, format_time, parse_time
from stats_pipeline.errors import LeaseLost, StoreError
from stats_pipeline.stores.protocol import Record, State
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

KIND = "lease"

#: A run that was stopped for longer than this and then writes is outside the promise.
SUSPECT_FOR = timedelta(days=1)

#: A rest is doubled so often; each run repeats a suspect interval that new events make dirty.
MOST_DOUBLINGS = 20

#: The holder renews when this share of the time is over.
RENEWAL_SHARE = 1 / 3


class Lease:
    """Hold an interval; made by `acquire`.

    The record says, beside holder and end: `suspect_until`; and of a suspect interval that nobody
    holds, how often it was repeated (`repeats`), from which marks (`seen`), and until when that
    will do (`rest_until`).
    """

    def __init__(
        self, state: State, clock: Clock, seconds: float, record: Record, *, renewed: float
    ) -> None:
        self._state = state
        self._clock = clock
        self._seconds = seconds
        self._record = record
        self._renewed = renewed
        self._is_doubtful = False
        self._seen: Sequence[str] = ()
        #: Is held by who reads or renews the lease: two threads do.
        self._lock = threading.RLock()
        self._lost: LeaseLost | None = None

    @property
    def suspect_until(self) -> datetime | None:
        """Return until when an earlier holder that was stopped may still write."""
        text = self._record.body.get("suspect_until")
        return parse_time(text) if text else None

    @contextmanager
    def held(self) -> Iterator[Lease]:
        """Give the lease to work under: a thread renews it, and it is released in the end."""
        try:
            with self._kept():
                yield self
        finally:
            self.release()

    @contextmanager
    def _kept(self) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._keep, args=(ended,), name="stats-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def check(self) -> None:
        """Renew the lease if it is time; raise LeaseLost if it may be somebody else's by now."""
        with self._lock:
            if self._lost:
                raise self._lost
            age = self._clock.monotonic() - self._renewed
            if age >= self._seconds:
                raise LeaseLost(
                    f"The lease of {self._record.key} ended after {age:.0f} s of silence"
                )
            if age >= self._seconds * RENEWAL_SHARE:
                self._renew()

    def confirm(self) -> None:
        """Renew the lease now; raise LeaseLost if it is somebody else's."""
        with self._lock:
            self.check()
            self._renew()

    def doubt(self) -> None:
        """Note that a write of this run was not answered, and may be done at any time from now."""
        self._is_doubtful = True

    def suspect(self, until: datetime, seen: Sequence[str]) -> None:
        """Note that the interval, computed from these marks, is suspect until then."""
        self._record = replace(
            self._record, body={**self._record.body, "suspect_until": format_time(until)}
        )
        self._seen = seen

    def release(self) -> None:
        """Let go of the interval; remember it while it is suspect."""
        held = self._stored()
        if held is None:
            return
        now, suspect_until = self._clock.now(), self.suspect_until
        if self._is_doubtful:
            suspect_until = now + SUSPECT_FOR
        if suspect_until is not None and now < suspect_until:
            repeats = 0 if self._is_doubtful else self._record.body["repeats"]
            # At first at once, then after the time of a lease, after twice that, and so on.
            doublings = min(repeats - 1, MOST_DOUBLINGS)
            rest = timedelta(seconds=self._seconds * 2**doublings if repeats else 0)
            body = {
                "holder": "",
                "expires": format_time(now),
                "suspect_until": format_time(suspect_until),
                "repeats": repeats,
                "seen": list(self._seen),
                "rest_until": format_time(min(suspect_until, now + min(rest, SUSPECT_FOR))),
            }
            self._state.swap([replace(held, body=body)])
        else:
            self._state.delete(held)

    def _keep(self, ended: threading.Event) -> None:
        while not ended.wait(self._seconds * RENEWAL_SHARE):
            try:
                self.check()
            except LeaseLost as error:
                # It is raised again where the run would write.
                self._lost = error
                return
            except StoreError as error:
                # Perhaps the next time; if not, the lease ends by the clock.
                logger.warning("The lease of %s is not renewed: %s", self._record.key, error)

    def _renew(self) -> None:
        # The clock is read before the write: the lease then ends no later here than for others.
        now, monotonic = self._clock.now(), self._clock.monotonic()
        held = self._stored()
        body = {**self._record.body, "expires": format_time(now + self._duration)}
        if held is None or self._state.swap([replace(held, body=body)]) != [True]:
            raise LeaseLost(f"Another run took over {self._record.key}")
        self._renewed = monotonic

    def _stored(self) -> Record | None:
        """Return the stored lease if it is still ours."""
        (held,) = self._state.get(KIND, [self._record.key])
        is_ours = held is not None and held.body["holder"] == self._record.body["holder"]
        return held if is_ours else None

    @property
    def _duration(self) -> timedelta:
        return timedelta(seconds=self._seconds)


@dataclass(frozen=True, slots=True)
class Leases:
    """Be all that a run holds while it works on an interval."""

    held: Sequence[Lease]

    def check(self) -> None:
        """Renew what it is time for; raise LeaseLost if one may be somebody else's by now."""
        for lease in self.held:
            lease.check()

    def confirm(self) -> None:
        """Renew all of them now; raise LeaseLost if one is somebody else's."""
        for lease in self.held:
            lease.confirm()

    def doubt(self) -> None:
        """Note that a write under them was not answered, and may be done at any time from now."""
        for lease in self.held:
            lease.doubt()

    def suspect_until(self, moment: datetime) -> datetime | None:
        """Return until when an earlier holder that was stopped might write; None: no more then."""
        bounds = [lease.suspect_until for lease in self.held if lease.suspect_until]
        return max((bound for bound in bounds if moment < bound), default=None)


def is_at_rest(state: State, clock: Clock, key: str, seen: Callable[[], Sequence[str]]) -> bool:
    """Tell whether an interval is only suspect, and need not be repeated yet.

    Args:
        state: where leases are.
        clock: for the time.
        key: of its lease.
        seen: returns from which marks it would be computed; called for suspect intervals only.
    """
    (found,) = state.get(KIND, [key])
    if found is None or found.body["holder"]:
        return False
    is_time = clock.now() >= parse_time(found.body["rest_until"])
    return not is_time and list(seen()) == found.body["seen"]


def acquire(state: State, clock: Clock, key: str, seconds: float) -> Lease | None:
    """Return the lease of this key, None while another run holds it."""
    # Both clocks are read before the record is written: the lease ends no later here than there.
    now, monotonic = clock.now(), clock.monotonic()
    (found,) = state.get(KIND, [key])
    expires = parse_time(found.body["expires"]) if found else now
    if found and found.body["holder"] and expires > now:
        return None
    suspect_until, repeats = None, 0
    if found and found.body["holder"]:
        suspect_until = format_time(expires + SUSPECT_FOR)
    elif found:
        suspect_until, repeats = found.body["suspect_until"], found.body["repeats"] + 1
    body = {
        "holder": uuid4().hex,
        "expires": format_time(now + timedelta(seconds=seconds)),
        "suspect_until": suspect_until,
        "repeats": repeats,
    }
    record = Record(KIND, key, body=body)
    is_ours = state.swap([replace(found, body=body)])[0] if found else state.create(record)
    return Lease(state, clock, seconds, record, renewed=monotonic) if is_ours else None
