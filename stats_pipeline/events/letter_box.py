"""The letter box: dead letters as documents of the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

from stats_pipeline.clock import Clock
from stats_pipeline.errors import StoreRefused
from stats_pipeline.events.letter import PROPERTIES, DeadLetter
from stats_pipeline.model import Filter
from stats_pipeline.stores.protocol import Delete, Put, Snapshot, Store
from stats_pipeline.stores.writing import write, write_all
from stats_pipeline.templates import IndexTemplate

ALIAS = "stats_pipeline-dead-letters"


#: So many are read at once: an event may have 1 MB, and what was no event several.
LETTERS_AT_ONCE = 10


#: Begins the ids of those that are being replayed: the queue may have their events already.
REPLAYED = "replayed-"


class Head(NamedTuple):
    """Be what is known of a dead letter without its event."""

    id: str
    event_type: str

    @property
    def is_replayed(self) -> bool:
        """Tell whether a replay was interrupted at it."""
        return self.id.startswith(REPLAYED)


class LetterBox:
    """Write, read and delete dead letters.

    Args:
        store: where they are kept.
        prefix: stands before the name of their index.
        clock: for waiting between tries.
    """

    def __init__(self, store: Store, *, prefix: str, clock: Clock) -> None:
        self._store = store
        self._alias = prefix + ALIAS
        self._index = f"{self._alias}-1"
        self._clock = clock
        self._is_ready = False

    def prepare(self) -> None:
        """Make their index exist."""
        if not self._is_ready:
            template = IndexTemplate(self._alias, PROPERTIES, {}, {})
            self._store.put_template(template)
            self._store.create_index(self._index, template, aliased=True)
            self._is_ready = True

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """Write these dead letters over what has their ids."""
        self.prepare()
        operations = [Put(self._index, letter.id, letter.body()) for letter in letters]
        try:
            write_all(self._store, operations, self._clock, what="a dead letter")
        except StoreRefused:
            self._is_ready = False  # Perhaps its index was deleted: made again at the next try.
            raise

    def delete(self, ids: Iterable[str]) -> None:
        """Delete the dead letters of these ids; one that is not there is deleted already."""
        write(self._store, [Delete(self._index, id_) for id_ in ids], self._clock)

    def get(self, ids: Sequence[str]) -> Mapping[str, DeadLetter]:
        """Return those of these dead letters that there are, by id: all at once."""
        found = self._store.get(self._index, ids)
        return {document.id: DeadLetter.of(document) for document in found if document is not None}

    def find(self, where: Filter) -> Iterator[Head]:
        """Yield the heads of the dead letters that the filter keeps, oldest first."""
        with self.snapshot() as snapshot:
            # Not a scan: thousands of whole events in one page would be more than memory has.
            for group in snapshot.groups(where, ["time", "id", "event_type"], {}):
                _, id_, event_type = group.key
                yield Head(id_, event_type)

    def read(self, heads: Iterable[Head]) -> Iterator[DeadLetter]:
        """Yield these dead letters, but for those that are gone by now; a few are in memory."""
        left = iter(heads)
        while some := list(islice(left, LETTERS_AT_ONCE)):
            yield from self.get([head.id for head in some]).values()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Open a snapshot that sees all that was written."""
        self._store.refresh([self._index])
        with self._store.snapshot([self._index]) as snapshot:
            yield snapshot
