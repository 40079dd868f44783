"""Everything that may happen to events between two updates, as rules that make up histories."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from stats_pipeline.clock import ManualClock, parse_time
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.events import salts
from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores import seals
from tests.aggregations.happenings import (
    IMPORTS,
    NEW,
    NUMBERS,
    SPANS,
    USERS,
    WHAT,
    file_line,
    numbers_of,
    published,
    row_of,
)
from tests.aggregations.host import rows
from tests.aggregations.reference import AGGREGATIONS, QUEUE, Reference, people

BEGIN = datetime(2017, 3, 9, 12, tzinfo=UTC)
HOUR_SECONDS, DAY_SECONDS = 3_600, 86_400


class Everything(RuleBasedStateMachine):
    """Let things happen to a pipeline, and compare its rows with the reference at rest.

    Args:
        start: gives the pipeline of another process at the same place, with this clock.
        is_sliding: whether double clicks are those of the sliding rule.
    """

    def __init__(self, start: Callable[[ManualClock], Pipeline], *, is_sliding: bool) -> None:
        super().__init__()
        self._start = start
        self._clock = ManualClock(BEGIN)
        self._pipeline = start(self._clock)
        self._reference = Reference(is_sliding=is_sliding)
        self._sent: dict[tuple[str, int], Event] = {}
        self._highest_imported: dict[str, int] = {}
        self._files: list[list[bytes]] = []
        self._history: dict[str, int] = {}

    # Events that come

    @rule(new=NEW)
    def emit(self, new: Sequence[Any]) -> None:
        """Publish new events, of now or late by days or months."""
        self._publish(list(self._made(new)))

    @precondition(lambda self: self._sent)
    @rule(
        number=st.integers(0, 99),
        user=USERS,
        what=WHAT,
        withdrawn=st.booleans(),
        by=st.sampled_from([QUEUE, "a"]),
    )
    def correct(
        self, number: int, user: str | None, what: dict[str, Any], withdrawn: bool, by: str
    ) -> None:
        """Correct or withdraw an event, or take its withdrawal back, by the queue or an import."""
        event = self._one_of_sent(number)
        revision = max(key[1] for key in self._sent if key[0] == event["event_id"]) + 1
        corrected = {**event, **what, "unique_id": what["page"], "withdrawn": withdrawn}
        corrected |= {"revision": revision, "user_id": user}
        self._sent[event["event_id"], revision] = corrected
        if by == QUEUE:
            self._publish([corrected])
        else:
            self._import([file_line(corrected)], by)

    @precondition(lambda self: self._sent)
    @rule(numbers=NUMBERS)
    def redeliver(self, numbers: list[int]) -> None:
        """Deliver what was sent earlier once more, in any order."""
        self._publish([self._one_of_sent(number) for number in numbers])

    # Moving

    @rule(new=NEW, numbers=st.lists(st.integers(0, 99), max_size=3), import_id=IMPORTS)
    def import_(self, new: Sequence[Any], numbers: list[int], import_id: str) -> None:
        """Import a file of new events and of such that were sent already."""
        old = [self._one_of_sent(number) for number in numbers if self._sent]
        self._import([file_line(event) for event in [*self._made(new), *old]], import_id)

    @rule(import_id=IMPORTS)
    def export_and_import(self, import_id: str) -> None:
        """Bring back into the store what was exported of it."""
        self._import(list(self._pipeline.moving.export("visit")), import_id)

    @precondition(lambda self: self._files)
    @rule(number=st.integers(0, 99), import_id=IMPORTS)
    def import_again(self, number: int, import_id: str) -> None:
        """Import one of the files once more, also by another import."""
        self._import(self._files[number % len(self._files)], import_id)

    @rule(import_id=IMPORTS)
    def undo_import(self, import_id: str) -> None:
        """Take an import back, if there was one."""
        self._reference.undo(import_id)
        with suppress(InvalidParameter):
            self._pipeline.moving.undo_import(import_id)
        self._go_on()

    @rule(user=st.sampled_from("uv"))
    def erase(self, user: str) -> None:
        """Erase a person's events."""
        self._reference.erase(user)
        self._pipeline.moving.erase("visit", user_id=user)
        self._go_on()

    @rule(count=st.integers(1, 3), page=st.sampled_from("ab"))
    def import_rows(self, count: int, page: str) -> None:
        """Import a row that was counted elsewhere, before there were events; or a new number."""
        row = json.dumps({"start": "2014-12-01", "page": page, "count": count}).encode()
        history = self._pipeline.moving.history("months-agg", f"from-{page}")
        assert history.take(lambda: [(1, row)]).rows == 1
        self._history[page] = count

    # Work that goes on

    @rule(asked=st.none() | SPANS)
    def update(self, asked: tuple[int, int] | None) -> None:
        """Update everything, or a range."""
        assert self._pipeline.update(None, *self._days(asked)).is_complete

    @rule(asked=st.none() | SPANS)
    def reset(self, asked: tuple[int, int] | None) -> None:
        """Compute everything anew, or a range."""
        assert self._pipeline.reset(None, *self._days(asked)).is_complete

    @rule(hours=st.integers(0, 2), is_updated=st.booleans())
    def retain(self, hours: int, is_updated: bool) -> None:
        """Close, seal and delete what is old enough, each hour."""
        if is_updated:
            assert self._pipeline.update().is_complete
        for hour in range(hours + 1):
            self._clock.advance(HOUR_SECONDS if hour else 0)
            report = self._pipeline.apply_retention()
            assert not report.errors
            self._reference.closed_before = parse_time(report.closing_before["visit"])
            if "visit" in report.sealed_before:
                self._reference.seal(parse_time(report.sealed_before["visit"]))
            self._reference.destroy_keys(parse_time(report.before))
        self._go_on()

    @rule(seconds=st.sampled_from([HOUR_SECONDS, DAY_SECONDS, 8 * DAY_SECONDS, 33 * DAY_SECONDS]))
    def wait(self, seconds: int) -> None:
        """Let time go on."""
        self._clock.advance(seconds)
        # By the real clock its publisher would go on with its numbers, as if it were never idle.
        self._pipeline.close()
        self._pipeline = self._start(self._clock)

    # At rest

    @rule()
    def rest(self) -> None:
        """Come to rest: the rows are those of the reference."""
        assert self._pipeline.update().is_complete
        report = self._pipeline.update()
        assert not any(
            (each.created, each.updated, each.unchanged, each.deleted) != (0, 0, 0, 0)
            for each in report.aggregations.values()
        )
        self._check()
        assert self._pipeline.balance().is_closed

    def teardown(self) -> None:
        """Come to rest in the end; nothing changes when everything is computed anew."""
        try:
            self.rest()
            before = {name: rows(self._pipeline, name) for name in AGGREGATIONS}
            assert self._pipeline.reset().is_complete
            assert {name: rows(self._pipeline, name) for name in AGGREGATIONS} == before
        finally:
            self._pipeline.close()

    def _check(self) -> None:
        for name in AGGREGATIONS:
            there = rows(self._pipeline, name)
            found = {
                (row.get("source", parse_time(row["start"])), row["page"]): numbers_of(row)
                for row in there
            }
            expected: dict[Any, Any] = {
                key: row_of(events, has_people=name.startswith("people"))
                for key, events in self._reference.rows(name).items()
            }
            if name == "months-agg":
                expected |= {(f"from-{p}", p): {"count": n} for p, n in self._history.items()}
            assert (name, found, len(there)) == (name, expected, len(expected))
        answer = self._pipeline.query("people-of-months", interval="month")
        of_months: dict[str, list[Event]] = {}
        for event in self._reference.counted("people-agg"):
            of_months.setdefault(f"{event['timestamp']:%Y-%m}", []).append(event)
        merged = {b["date"][:7]: b["visitors"] for b in answer["buckets"] if b["visitors"]}
        assert merged.keys() == of_months.keys()
        # Nearly always exact, or one off (docs/registration.md, unique counts over several rows).
        assert all(abs(merged[month] - people(of_months[month])) <= 1 for month in merged)

    # Helpers

    def _made(self, new: Sequence[Any]) -> Iterator[Event]:
        for (days, time), user, what in new:
            number = len(self._sent) + 1
            midnight = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
            # No two events have the same time: either might be the later one.
            moment = midnight - timedelta(days=days) + time + timedelta(milliseconds=number)
            if moment > self._clock.now():
                moment -= timedelta(days=1)
            event = {
                "event_id": f"e{number}",
                "timestamp": moment,
                "user_id": user,
                "unique_id": what["page"],
                **what,
                "revision": 0,
                "withdrawn": False,
            }
            self._sent[event["event_id"], 0] = event
            yield event

    def _one_of_sent(self, number: int) -> Event:
        sent = list(self._sent.values())
        return sent[number % len(sent)]

    def _publish(self, events: list[Event]) -> None:
        certain = [event for event in events if self._is_certain(event)]
        self._pipeline.publish("visit", [published(event) for event in certain])
        report = self._pipeline.process_events()
        in_time = [self._reference.bring(event, QUEUE, self._clock.now()) for event in certain]
        assert (report.error, report.taken) == ("", len(certain))
        assert report.dead == in_time.count(False)
        self._go_on()

    def _is_certain(self, event: Event) -> bool:
        """Tell whether it is said what becomes of an event that comes by the queue.

        docs/moving.md, Undo: not of a lower revision than one that was imported, and an event that
        is back at an earlier revision takes only revisions above the one that was taken back.
        """
        event_id, revision = event["event_id"], event["revision"]
        highest = self._highest_imported.get(event_id, -1)
        _, by = self._reference.brought.get((event_id, highest), (event, set()))
        is_erased = event_id in self._reference.erased
        return (
            highest < revision
            or QUEUE in by
            or revision <= self._reference.erased.get(event_id, -1)
            or (highest == revision and not is_erased)
        )

    def _import(self, lines: list[bytes], import_id: str) -> None:
        self._files.append(lines)
        numbered = list(enumerate(lines, start=1))
        report = self._pipeline.moving.importing(import_id, "visit").take("file", numbered)
        in_time = []
        for line in lines:
            value = json.loads(line)
            stored = value.get("event", value)
            key = stored["event_id"], stored["revision"]
            in_time.append(
                self._reference.bring(
                    self._sent[key], import_id, self._clock.now(), is_exported="event" in value
                )
            )
            if in_time[-1]:
                highest = self._highest_imported.get(key[0], -1)
                self._highest_imported[key[0]] = max(highest, key[1])
        assert report.bad == in_time.count(False), report
        self._go_on()

    def _days(self, asked: tuple[int, int] | None) -> list[str | None]:
        if asked is None:
            return [None, None]
        now = self._clock.now()
        return [f"{now - timedelta(days=days):%Y-%m-%d}" for days in sorted(asked, reverse=True)]

    def _go_on(self) -> None:
        # Workers trust what they have read of seals and keys for so long.
        self._clock.advance(max(seals.CACHE_SECONDS, salts.CACHE_SECONDS) + 1)
