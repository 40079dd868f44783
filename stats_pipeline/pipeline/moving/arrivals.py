"""Arrivals: what an import brings into one event type, and what is made of it.

What is there already decides (`_judge`): an event that came by the queue is never touched but by a
higher revision of itself, and what that writes over is kept for an undo.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from stats_pipeline.aggregations.flag_lease import alone_with_flags
from stats_pipeline.clock import parse_time
from stats_pipeline.errors import ConfigurationError, InvalidEvent, StoreError
from stats_pipeline.events.chain import ChainContext, run_chain, running_in
from stats_pipeline.events.clicks import add_click_keys
from stats_pipeline.events.envelope import check_plausible, complete
from stats_pipeline.events.messages import Received
from stats_pipeline.events.placing import Placing
from stats_pipeline.events.validation import checked
from stats_pipeline.intervals import hour_of
from stats_pipeline.model import Drop, Event
from stats_pipeline.pipeline.moving.event_lines import NO_IDENTITY, BadLine, EventLine
from stats_pipeline.pipeline.moving.imports import Imports, ids_of, label_with
from stats_pipeline.pipeline.moving.revisions import Revisions, revision_of
from stats_pipeline.reports import Outcome
from stats_pipeline.stores import fixed, marks
from stats_pipeline.stores.indices import EventIndices
from stats_pipeline.stores.protocol import Document, Put, Verdict
from stats_pipeline.stores.seals import Doorkeeper
from stats_pipeline.stores.writing import write

if TYPE_CHECKING:
    from stats_pipeline.pipeline.moving.importing import ImportReport
    from stats_pipeline.pipeline.pipeline import Pipeline

Result = Literal["added", "changed", "known"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Be an event that is ready to be stored, and where it came from."""

    event_type: str
    file: str
    line: int
    document: Put
    timestamp: datetime

    @property
    def place(self) -> tuple[str, str]:
        """Return what tells its document from others."""
        return self.document.index, self.document.id


@dataclass(frozen=True, slots=True)
class Judgement:
    """Say what becomes of an arrival.

    Attributes:
        result: as it is counted.
        put: what is written for it, None for nothing.
        is_touching: whether its hours are to be marked: by this run, or by one that was killed.
        lower: an event to be kept as the lower revision of the one that is stored then.
    """

    result: Result
    put: Put | None = None
    is_touching: bool = True
    lower: Event | None = None


class Arrivals:
    """Prepare and write what an import brings into one event type."""

    def __init__(self, pipeline: Pipeline, event_type: str) -> None:
        definition = pipeline.registries.event_type(event_type)
        self._pipeline = pipeline
        self._store = pipeline.store
        self._definition = definition
        fixed.hold(self._store.state, **definition.fixed)
        config = definition.config
        self._indices = EventIndices(self._store, definition.template, config.index_interval)
        self._indices.install_template()
        earliest = pipeline.settings["STATS_EARLIEST"]
        self._placing = Placing(definition, self._indices, earliest)
        self._doorkeeper = Doorkeeper(self._store.state, definition.alias, pipeline.clock)
        self._context = ChainContext.of(definition, self._store.state, pipeline.clock)
        self._imports = Imports(self._store.state, definition.alias, pipeline.clock)
        self._revisions = Revisions(self._store.state, definition.alias)

    def prepare(self, file: str, number: int, line: EventLine) -> Arrival:
        """Return the event of a line as it is to be stored.

        Raises:
            BadLine: it can't be stored, and why.
            Drop: a preprocessor leaves it out.
        """
        try:
            event = self._completed(line)
            if not line.is_stored:
                event = self._preprocessed(event)
            timestamp = self._time_of(event)
            self._doorkeeper.refuse_closed(timestamp)
            if self._definition.config.sliding_seconds:
                event = add_click_keys(self._definition.name, event)
            event = checked(event, self._definition.template)
        except (BadLine, Drop, StoreError, ConfigurationError):
            raise
        except InvalidEvent as error:
            raise BadLine(str(error)) from None
        except Exception as error:
            # A host's preprocessor may raise anything.
            raise BadLine(f"a preprocessor failed on it: {error!r}"[:500]) from error
        document = self._placing.document(event, timestamp, is_imported=True)
        return Arrival(self._definition.name, file, number, document, timestamp)

    def write(self, arrivals: Sequence[Arrival], report: ImportReport) -> None:
        """Store these, mark their hours, and enter them in the ledger; count them in the report."""
        seconds = self._pipeline.settings["STATS_LEASE_SECONDS"]
        clock = self._pipeline.clock
        with alone_with_flags(self._definition, self._store.state, clock, seconds) as check:
            self._write(arrivals, report, check)

    def _write(
        self, arrivals: Sequence[Arrival], report: ImportReport, check: Callable[[], None]
    ) -> None:
        judged = list(self._judged(arrivals, report.import_id))
        puts = [judgement.put for _, judgement in judged if judgement.put is not None]
        for label in {report.import_id, *(put.body["import_ids"] for put in puts)}:
            self._imports.note(label)
        for arrival, judgement in judged:
            if judgement.lower is not None:
                self._revisions.keep(*arrival.place, judgement.lower)
        for arrival, _ in judged:
            self._indices.ensure(arrival.timestamp)
        check()
        outcomes = self._put(judged, puts, report)
        hours = {
            hour
            for arrival, judgement in judged
            if judgement.is_touching
            for hour in self._placing.touched(dict(arrival.document.body), arrival.timestamp)
        }
        if hours:
            marks.touch(self._store.state, self._definition.alias, hours)
        # The same batch has the same entry, however often it is brought.
        content = Received([dict(arrival.document.body) for arrival, _ in judged])
        ledger = self._pipeline.ledger
        ledger.enter(ledger.processed(self._definition.name, content, outcomes))

    def _put(
        self,
        judged: Sequence[tuple[Arrival, Judgement]],
        puts: Sequence[Put],
        report: ImportReport,
    ) -> list[Outcome]:
        results = iter(write(self._store, puts, self._pipeline.clock))
        outcomes = []
        for arrival, judgement in judged:
            result = next(results) if judgement.put is not None else None
            hour = hour_of(arrival.timestamp)
            if result is not None and result.verdict is Verdict.NEVER:
                report.name_bad(
                    arrival.file, arrival.line, f"the store refuses it: {result.reason}"
                )
                outcomes.append(Outcome("dead", hour))
                continue
            # `DUPLICATE`: it has just come by the queue as well.
            is_known = result is not None and result.verdict is Verdict.DUPLICATE
            counted: Result = "known" if is_known else judgement.result
            setattr(report, counted, getattr(report, counted) + 1)
            outcomes.append(Outcome("duplicates" if counted == "known" else "indexed", hour))
        return outcomes

    def _judged(
        self, arrivals: Sequence[Arrival], import_id: str
    ) -> Iterator[tuple[Arrival, Judgement]]:
        stored = self._stored({arrival.place for arrival in arrivals})

        held = self._held(stored.values(), import_id)
        winners: dict[tuple[str, str], Arrival] = {}
        for arrival in arrivals:
            rival = winners.setdefault(arrival.place, arrival)
            there = held.get(arrival.place)
            if _rank(arrival.document, there) > _rank(rival.document, there):
                winners[arrival.place] = arrival
        for arrival in arrivals:
            if winners[arrival.place] is arrival:
                there, is_held = stored.get(arrival.place), arrival.place in held
                yield arrival, _judge(arrival.document, there, import_id, is_held=is_held)
            else:
                yield arrival, Judgement("known")

    def _stored(self, places: Collection[tuple[str, str]]) -> dict[tuple[str, str], Document]:
        ids: dict[str, list[str]] = {}
        for index, id_ in places:
            ids.setdefault(index, []).append(id_)
        return {
            (document.index, document.id): document
            for index, of_index in ids.items()
            for document in self._store.get(index, of_index)
            if document is not None
        }

    def _held(
        self, stored: Collection[Document], import_id: str
    ) -> dict[tuple[str, str], Document]:
        """Return those whose event something else has brought, in whichever revision."""
        own = {each.id for each in stored if each.body.get("import_ids") == import_id}
        own -= self._revisions.of(list(own)).keys()
        return {(each.index, each.id): each for each in stored if each.id not in own}

    def _completed(self, line: EventLine) -> Event:
        event = complete(line.event, now=self._pipeline.clock.now())
        if line.is_stored and line.event.get("received_at") is not None:
            event["received_at"] = line.event["received_at"]
        if line.event.get("event_id") is None:
            # What stands in for it where events are published is another one each time.
            del event["event_id"]
        if line.event_type not in (None, self._definition.name):
            # Made of another type's name; it is only looked at beside the type's own click keys.
            event.pop("previous_click_key", None)
        return event

    def _preprocessed(self, event: Event) -> Event:
        """Return a bare event after its preprocessors, one of which may make its `event_id`."""
        try:
            with running_in(self._context):
                event = run_chain(self._definition.preprocessors, event)
        except KeyError as error:
            if error.args != ("event_id",):
                raise
            raise BadLine(NO_IDENTITY.format("event_id")) from None
        if event.get("event_id") is None:
            raise BadLine(NO_IDENTITY.format("event_id"))
        return event

    def _time_of(self, event: Event) -> datetime:
        timestamp = parse_time(event["timestamp"])
        check_plausible(
            timestamp,
            earliest=self._placing.earliest,
            now=self._pipeline.clock.now(),
            shown=event["timestamp"],
        )
        return timestamp


def _rank(new: Put, held: Document | None) -> tuple[bool, int]:
    """Return what is highest for that one of an import's events which a document is made of.

    In a fixed window that has its click of something else, only that very click may change.
    """
    return held is not None and _is_same_event(new, held), _version(new)


def _judge(new: Put, stored: Document | None, import_id: str, *, is_held: bool) -> Judgement:
    """Decide what an imported event does to what is stored in its place."""
    if stored is None:
        return Judgement("added", _labelled(new, import_id))
    label = stored.body.get("import_ids")
    if not _is_same_event(new, stored):
        # A fixed window has its click. Only within one import the latest one takes its place.
        is_later = not is_held and _version(new) > _version(stored)
        return Judgement(
            "known", _labelled(new, import_id) if is_later else None, is_touching=label is not None
        )
    return _judge_same(new, stored, label, import_id)


def _judge_same(new: Put, stored: Document, label: str | None, import_id: str) -> Judgement:
    """Decide it where the very event is stored, in whichever revision."""
    if revision_of(new.body) > revision_of(stored.body):
        # The stored version may be higher all the same, where an undo has put back a revision.
        put = replace(new, version=max(_version(new), _version(stored)))
        lower = None if label == import_id else dict(stored.body)
        return Judgement("changed", _labelled(put, import_id), lower=lower)
    if label is None:
        return Judgement("known", is_touching=False)
    if revision_of(new.body) < revision_of(stored.body):
        is_ours = import_id in ids_of(label)
        lower = None if is_ours else {**new.body, "import_ids": import_id}
        return Judgement("known", lower=lower)
    if stored.body.get("withdrawn") and not new.body.get("withdrawn"):
        # An undo that died has begun to take it away.
        back = replace(new, version=stored.version)
        return Judgement("added", _labelled(back, label_with(label, import_id)))
    if import_id in ids_of(label):
        return Judgement("known")
    # Another import brought it first. From now on it stays until both are undone.
    same = Put(stored.index, stored.id, stored.body, stored.version)
    return Judgement("known", _labelled(same, label_with(label, import_id)))


def _is_same_event(new: Put, stored: Document) -> bool:
    return all(new.body[name] == stored.body[name] for name in ("event_id", "timestamp"))


def _labelled(put: Put, label: str) -> Put:
    return replace(put, body={**put.body, "import_ids": label}, is_same=True)


def _version(document: Put | Document) -> int:
    return document.version or 0
