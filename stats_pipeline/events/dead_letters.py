"""Dead letters: events that can't be counted, kept whole so that they can be mended and replayed.

They are documents in the store, written before the acknowledgement of their message. The event is
kept as it was before the first preprocessor, so it holds raw data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import uuid4

from stats_pipeline.clock import Clock, format_time
from stats_pipeline.errors import StatsError, StoreRefused
from stats_pipeline.events.identity import digest
from stats_pipeline.model import Event, Filter
from stats_pipeline.stores.protocol import Delete, Document, Put, Store, Verdict
from stats_pipeline.stores.writing import write
from stats_pipeline.templates import IndexTemplate

Kind = Literal["invalid", "preprocessor", "rejected", "too_late", "undecodable"]

ALIAS = "stats_pipeline-dead-letters"

#: Replayed and purged in batches of this many.
BATCH = 500

#: Characters of an error that are kept.
LONGEST_ERROR = 2_000

_PROPERTIES: dict[str, dict[str, Any]] = {
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
        time: when, ISO 8601 UTC.
        tries: how often it was tried.
    """

    id: str
    event_type: str
    event: Any
    kind: Kind
    error: str
    stage: str
    time: str
    tries: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Return the dead letter as JSON values."""
        # Not `asdict`, which copies the event as well, level by level.
        return dict(vars(self))


class DeadLetters:
    """Keep, list, replay and purge dead letters.

    Args:
        store: where they are kept.
        prefix: stands before the name of their index.
        publish: puts events into the queue of a type again and returns when it has them.
        clock: for their time.
    """

    def __init__(
        self,
        store: Store,
        *,
        prefix: str,
        publish: Callable[[str, Sequence[Event]], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._alias = prefix + ALIAS
        self._index = f"{self._alias}-1"
        self._publish = publish
        self._clock = clock
        self._is_ready = False

    def of(self, event_type: str, event: Any, kind: Kind, error: str, stage: str) -> DeadLetter:
        """Return a dead letter of this event, not yet kept."""
        text = json.dumps(event, sort_keys=True, default=str)
        return DeadLetter(
            id=digest("dead", event_type, kind, text),
            event_type=event_type,
            event=event,
            kind=kind,
            # An exception may quote what no store takes, as a lone surrogate.
            error=error.encode("utf-8", "backslashreplace").decode()[:LONGEST_ERROR],
            stage=stage,
            time=format_time(self._clock.now()),
        )

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Write these dead letters; what was kept before is counted as tried again."""
        if not letters:
            return
        unique = {letter.id: letter for letter in letters}
        earlier = self._store.get(self._index, list(unique))
        self._write(
            [
                letter
                if before is None
                else replace(letter, tries=letter.tries + int(before.body["tries"]))
                for letter, before in zip(unique.values(), earlier, strict=True)
            ]
        )

    def prepare(self) -> None:
        """Make their index exist."""
        if not self._is_ready:
            template = IndexTemplate(self._alias, _PROPERTIES, {}, {})
            self._store.put_template(template)
            self._store.create_index(self._index, template, aliased=True)
            self._is_ready = True

    def count(self) -> int:
        """Return how many there are."""
        self._store.refresh([self._index])
        with self._store.snapshot([self._index]) as snapshot:
            return snapshot.count(Filter())

    def list(self, event_type: str | None = None, kind: str | None = None) -> list[DeadLetter]:
        """Return the dead letters, oldest first, of one event type or kind where asked for."""
        where = Filter()
        if event_type is not None:
            where = where.where("event_type", [event_type])
        if kind is not None:
            where = where.where("kind", [kind])
        return list(self._find(where))

    def replay(self, ids: Sequence[str] | None = None) -> int:
        """Put these dead letters (all where ids is None) into their queues again; return how many.

        Each is deleted only when the queue has it. Those that are no events stay.
        """
        replayed = 0
        batches: dict[str, list[DeadLetter]] = {}
        for letter in self._find(_of_ids(ids)):
            if isinstance(letter.event, dict):
                batch = batches.setdefault(letter.event_type, [])
                batch.append(letter)
                if len(batch) == BATCH:
                    replayed += self._replay(batches.pop(letter.event_type))
        return replayed + sum(self._replay(batch) for batch in batches.values())

    def purge(self, ids: Sequence[str] | None = None) -> int:
        """Delete these dead letters (all where ids is None) for good; return how many."""
        found = [letter.id for letter in self._find(_of_ids(ids))]
        for position in range(0, len(found), BATCH):
            self._delete(found[position : position + BATCH])
        return len(found)

    def _replay(self, letters: Sequence[DeadLetter]) -> int:
        # First under ids of their own: a fast worker may bury an event again before this returns,
        # and what it wrote must not be deleted here.
        copies = [replace(letter, id=uuid4().hex) for letter in letters]
        self._move(letters, copies)
        try:
            self._publish(letters[0].event_type, [letter.event for letter in letters])
        except StatsError:
            self._move(copies, letters)
            raise
        self._delete([copy.id for copy in copies])
        return len(letters)

    def _move(self, letters: Sequence[DeadLetter], to: Sequence[DeadLetter]) -> None:
        self._write(to)
        self._delete([letter.id for letter in letters])

    def _write(self, letters: Sequence[DeadLetter]) -> None:
        self.prepare()
        bodies = [{**each.as_dict(), "event": json.dumps(each.event)} for each in letters]
        operations = [Put(self._index, body["id"], body) for body in bodies]
        try:
            results = write(self._store, operations, self._clock)
        except StoreRefused:
            self._is_ready = False  # Perhaps its index was deleted: made again at the next try.
            raise
        for result in results:
            if result.verdict is Verdict.NEVER:
                raise StoreRefused(f"The store refuses a dead letter: {result.reason}")

    def _delete(self, ids: Sequence[str]) -> None:
        write(self._store, [Delete(self._index, id_) for id_ in ids], self._clock)
        self._store.refresh([self._index])

    def _find(self, where: Filter) -> Iterator[DeadLetter]:
        self._store.refresh([self._index])
        with self._store.snapshot([self._index]) as snapshot:
            for document in snapshot.scan(where, ["time", "id"]):
                yield _read(document)


def _of_ids(ids: Sequence[str] | None) -> Filter:
    # An empty list asks for nothing; a filter needs at least one value.
    return Filter() if ids is None else Filter().where("id", list(ids) or [""])


def _read(document: Document) -> DeadLetter:
    body = dict(document.body)
    return DeadLetter(**{**body, "event": json.loads(body["event"])})
