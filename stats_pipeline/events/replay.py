"""Replay: put dead letters into their queues again, losing none wherever it is interrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from stats_pipeline.errors import StatsError
from stats_pipeline.events import tries
from stats_pipeline.events.envelope import LARGEST_EVENT_BYTES, to_json
from stats_pipeline.events.letter import DeadLetter, Replayed
from stats_pipeline.events.letter_box import REPLAYED, LetterBox
from stats_pipeline.model import Event
from stats_pipeline.stores.protocol import State

#: Replayed in batches of this many, or fewer where their events have so many bytes.
BATCH = 500
BATCH_BYTES = 4_000_000


@dataclass(slots=True)
class _Batch:
    letters: list[DeadLetter] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.letters) >= BATCH or self.size_bytes >= BATCH_BYTES


class Replay:
    """Replay dead letters.

    Args:
        box: where they are.
        state: where it is remembered how often their events died.
        publish: puts events into the queue of a type and returns when it has them.
        is_active: tells whether an event type has a queue to be put into.
    """

    def __init__(
        self,
        box: LetterBox,
        *,
        state: State,
        publish: Callable[[str, Sequence[Event]], None],
        is_active: Callable[[str], bool],
    ) -> None:
        self._box = box
        self._state = state
        self._publish = publish
        self._is_active = is_active

    def run(self, letters: Iterable[DeadLetter]) -> Replayed:
        """Replay these dead letters; those that can't be put back stay as they are."""
        replayed = 0
        kept: Counter[str] = Counter()
        batches: dict[str, _Batch] = {}
        for letter in letters:
            size_bytes = len(to_json(letter.event))
            reason = self._obstacle(letter, size_bytes)
            if reason:
                kept[reason] += 1
                continue
            batch = batches.setdefault(letter.event_type, _Batch())
            batch.letters.append(letter)
            batch.size_bytes += size_bytes
            if batch.is_full:
                replayed += self._replay(batches.pop(letter.event_type).letters)
        replayed += sum(self._replay(batch.letters) for batch in batches.values())
        return Replayed(replayed, dict(sorted(kept.items())))

    def _obstacle(self, letter: DeadLetter, size_bytes: int) -> str:
        if not letter.is_event:
            return "not an event"
        if not self._is_active(letter.event_type):
            return f"the event type {letter.event_type!r} is not active"
        # Such a message may be refused by the broker, or not be read by a worker.
        if size_bytes > LARGEST_EVENT_BYTES:
            return f"larger than an event may be ({LARGEST_EVENT_BYTES:,} bytes as JSON)"
        return ""

    def _replay(self, letters: Sequence[DeadLetter]) -> int:
        # First under ids of their own: a fast worker may bury an event again before this returns,
        # and what it wrote must not be deleted here.
        copies = [replace(letter, id=f"{REPLAYED}{uuid4().hex}") for letter in letters]
        self._move(letters, copies)
        tries.remember(self._state, letters)
        try:
            self._publish(letters[0].event_type, [letter.event for letter in letters])
        except StatsError:
            self._move(copies, letters)
            raise
        self._box.delete(copy.id for copy in copies)
        return len(letters)

    def _move(self, letters: Sequence[DeadLetter], to: Sequence[DeadLetter]) -> None:
        self._box.write(to)
        self._box.delete(letter.id for letter in letters)
