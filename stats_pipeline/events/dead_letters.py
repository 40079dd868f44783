"""Dead letters: events that can't be counted, kept whole so that they can be mended and replayed.

They are documents in the store, written before the acknowledgement of their message.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from stats_pipeline.clock import Clock, format_time
from stats_pipeline.errors import InvalidParameter, UnknownDeadLetter
from stats_pipeline.events import tries
from stats_pipeline.events.identity import digest
from stats_pipeline.events.letter import (
    LONGEST_ERROR,
    DeadLetter,
    DeadLetterSummary,
    Kind,
    Replayed,
    When,
    letters_where,
)
from stats_pipeline.events.letter_box import Head, LetterBox
from stats_pipeline.events.replay import Replay
from stats_pipeline.intervals import DAY
from stats_pipeline.metrics import Min
from stats_pipeline.model import Event, Filter
from stats_pipeline.names import listed
from stats_pipeline.stores.protocol import Store
from stats_pipeline.text import get_logger, noun

logger = get_logger(__name__)

#: Looked for by id and deleted in batches of this many.
BATCH = 500


class DeadLetters:
    """Keep, list, replay and purge dead letters.

    Which ones is said by ids, or else by what they have in common: `event_type`, `kind`, and
    their time, from `since` on and `before` another (ISO 8601 text or a datetime). Without any of
    these it is all of them.

    Args:
        store: where they are kept.
        prefix: stands before the name of their index.
        publish: puts events into the queue of a type again and returns when it has them.
        is_active: tells whether an event type has a queue to be put into.
        clock: for their time.
    """

    def __init__(
        self,
        store: Store,
        *,
        prefix: str,
        publish: Callable[[str, Sequence[Event]], None],
        is_active: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._box = LetterBox(store, prefix=prefix, clock=clock)
        self._replay = Replay(self._box, state=store.state, publish=publish, is_active=is_active)
        self._state = store.state
        self._clock = clock

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
        """Write these dead letters; what was kept or replayed before is counted as tried again."""
        if not letters:
            return
        unique = {letter.id: letter for letter in letters}
        kept = self._box.get(list(unique))
        again = [
            letter.after(kept[id_].time, kept[id_].tries)
            for id_, letter in unique.items()
            if id_ in kept
        ]
        others = [letter for id_, letter in unique.items() if id_ not in kept]
        self._box.write([*again, *tries.recall(self._state, others)])

    def prepare(self) -> None:
        """Make their index exist."""
        self._box.prepare()

    def count(
        self,
        event_type: str | None = None,
        kind: str | None = None,
        *,
        since: When = None,
        before: When = None,
    ) -> int:
        """Return how many there are."""
        where = letters_where(event_type, kind, since, before)
        with self._box.snapshot() as snapshot:
            return snapshot.count(where)

    def summary(self) -> DeadLetterSummary:
        """Return how many there are of each event type and kind, and how fast they grow."""
        recent = Filter().between("time", start=self._clock.now() - DAY)
        types: dict[str, dict[str, int]] = {}
        with self._box.snapshot() as snapshot:
            groups = snapshot.groups(Filter(), ["event_type", "kind"], {"oldest": Min("time")})
            oldest: list[str] = []
            for group in groups:
                event_type, kind = group.key
                types.setdefault(event_type, {})[kind] = group.count
                oldest.append(group.values["oldest"])
            return DeadLetterSummary(
                total=sum(sum(kinds.values()) for kinds in types.values()),
                last_day=snapshot.count(recent),
                oldest=min(oldest, default=None),
                types=types,
            )

    def list(
        self,
        event_type: str | None = None,
        kind: str | None = None,
        *,
        since: When = None,
        before: When = None,
        limit: int | None = None,
    ) -> list[DeadLetter]:
        """Return the dead letters, oldest first; of many, only the first `limit`."""
        where = letters_where(event_type, kind, since, before)
        return list(self._box.read(islice(self._box.find(where), limit)))

    def show(self, id_: str) -> DeadLetter:
        """Return one dead letter.

        Raises:
            UnknownDeadLetter: there is none of this id.
        """
        found = self._box.get([id_])
        if id_ not in found:
            raise UnknownDeadLetter([id_])
        return found[id_]

    def replay(
        self,
        ids: Sequence[str] | None = None,
        *,
        event_type: str | None = None,
        kind: str | None = None,
        since: When = None,
        before: When = None,
    ) -> Replayed:
        """Put dead letters into their queues again; report how many, and which ones can't be.

        Each is deleted only when the queue has it, so that one may be replayed twice, which counts
        nothing twice, but none is lost.

        Raises:
            UnknownDeadLetter: there is none of one of these ids; nothing was done.
            QueueError: the queue takes no more; what it did not take is kept.
        """
        chosen = self._chosen(ids, event_type, kind, since, before)
        return self._replay.run(self._box.read(chosen))

    def purge(
        self,
        ids: Sequence[str] | None = None,
        *,
        event_type: str | None = None,
        kind: str | None = None,
        since: When = None,
        before: When = None,
    ) -> int:
        """Delete dead letters for good; return how many.

        Raises:
            UnknownDeadLetter: there is none of one of these ids; nothing was done.
        """
        chosen = self._chosen(ids, event_type, kind, since, before)
        return sum(map(len, self._delete(chosen)))

    def expire(self, before: datetime, *, dry_run: bool = False) -> Mapping[str, int]:
        """Delete those that first died before; return how many of each event type: lost now.

        The log says so as well. A dry run only counts them.
        """
        old = self._box.find(Filter().between("time", end=before))
        if dry_run:
            return dict(sorted(Counter(head.event_type for head in old).items()))
        expired: Counter[str] = Counter()
        for deleted in self._delete(old):
            expired.update(head.event_type for head in deleted)
            # At once, since what comes after it may fail.
            _say_lost(deleted)
        return dict(sorted(expired.items()))

    def _delete(self, heads: Iterator[Head]) -> Iterator[Sequence[Head]]:
        """Delete these dead letters, and yield each batch of them behind that."""
        while batch := list(islice(heads, BATCH)):
            self._box.delete(head.id for head in batch)
            yield batch

    def _chosen(
        self,
        ids: Sequence[str] | None,
        event_type: str | None,
        kind: str | None,
        since: When,
        before: When,
    ) -> Iterator[Head]:
        where = letters_where(event_type, kind, since, before)
        if ids is None:
            return self._box.find(where)
        if where.clauses:
            raise InvalidParameter("Give the ids of dead letters, or what they have in common")
        return self._of_ids(ids)

    def _of_ids(self, ids: Sequence[str]) -> Iterator[Head]:
        unique = [*dict.fromkeys(listed(ids, parameter="ids"))]
        batches = [unique[start : start + BATCH] for start in range(0, len(unique), BATCH)]
        found = {
            head.id: head
            for batch in batches
            for head in self._box.find(Filter().where("id", batch))
        }
        unknown = [id_ for id_ in unique if id_ not in found]
        if unknown:
            raise UnknownDeadLetter(unknown)
        return (found[id_] for id_ in unique)


def _say_lost(expired: Sequence[Head]) -> None:
    for (event_type, is_replayed), number in Counter(
        (head.event_type, head.is_replayed) for head in expired
    ).items():
        logger.error(
            "%s: %d %s of %s did not get into the statistics within STATS_GRACE_DAYS%s",
            "PERHAPS LOST" if is_replayed else "LOST",
            number,
            noun(number, "dead letter"),
            event_type,
            ", unless a replay that was interrupted has put it there" if is_replayed else "",
        )
