"""Dead letters are whole events: of many large ones only a few are in memory at a time."""

import tracemalloc
from collections.abc import Callable

from tests.events.conftest import ThingPipeline

LETTERS = 50
LETTER_BYTES = 900_000

#: A batch of a replay, in the forms that it takes on its way; all of them would be 45 MB and more.
MOST_BYTES = 40_000_000


def peak_bytes(what: Callable[[], object]) -> int:
    """Return how much memory something took at most."""
    tracemalloc.start()
    try:
        what()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_large_dead_letters_are_not_all_read_at_once(thing_pipeline: ThingPipeline) -> None:
    """Not by the status, nor to show the first, to replay, or to delete them."""
    pipeline = thing_pipeline()
    dead_letters = pipeline.dead_letters
    for number in range(LETTERS):
        pipeline.publish("thing", [{"unknown": "x" * LETTER_BYTES, "value": number}])
    assert pipeline.process_events().dead == LETTERS
    used = {
        "summary": peak_bytes(dead_letters.summary),
        "list": peak_bytes(lambda: dead_letters.list(limit=1)),
        "replay": peak_bytes(dead_letters.replay),
    }
    assert pipeline.process_events().dead == LETTERS
    used["purge"] = peak_bytes(dead_letters.purge)
    assert dead_letters.count() == 0
    assert max(used.values()) < MOST_BYTES, used
