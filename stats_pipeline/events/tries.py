"""What is remembered of a replayed event: when it was first a dead letter, and how often it died.

Its dead letter is deleted when the queue has the event, and nobody knows yet whether it will die
again. The memory holds no event, only a digest of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from stats_pipeline.clock import format_time, parse_time
from stats_pipeline.events.identity import digest
from stats_pipeline.events.letter import DeadLetter
from stats_pipeline.stores.protocol import Record, State

KIND = "replayed"


def remember(state: State, letters: Sequence[DeadLetter]) -> None:
    """Remember these dead letters, whose events are about to be in the queue again."""
    state.put(
        [
            Record(KIND, _key(letter), time=parse_time(letter.time), body={"tries": letter.tries})
            for letter in letters
        ]
    )


def recall(state: State, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """Return these dead letters, with the first time and all tries of those that were replayed."""
    records = state.get(KIND, [_key(letter) for letter in letters])
    return [
        letter
        if record is None or record.time is None
        else letter.after(format_time(record.time), record.body["tries"])
        for letter, record in zip(letters, records, strict=True)
    ]


def _key(letter: DeadLetter) -> str:
    # Whatever was wrong the last time: the next time it may be something else.
    text = json.dumps(letter.event, sort_keys=True, default=str)
    return digest("replayed", letter.event_type, text)
