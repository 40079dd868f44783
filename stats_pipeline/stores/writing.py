"""Write many documents and act on the verdicts: what may work later is tried again, in time."""

from __future__ import annotations

import random
from collections.abc import Sequence

from stats_pipeline.clock import Clock
from stats_pipeline.errors import StoreRefused, StoreUnavailable
from stats_pipeline.stores.indices import refuse_lost
from stats_pipeline.stores.protocol import ItemResult, Operation, Store, Verdict

#: Waits between the tries of one bulk: short, since the queue keeps what is given up here.
BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0)


def write(store: Store, operations: Sequence[Operation], clock: Clock) -> list[ItemResult]:
    """Do these operations; the results, in order, are `DONE`, `DUPLICATE` or `NEVER`.

    Raises:
        StoreUnavailable: some operations kept being refused for now; others were done.
        StoreRefused: an operator must act; what could be done was done.
        IndexLost: likewise, since an event index is gone or was replaced.
    """
    results: list[ItemResult | None] = [None] * len(operations)
    open_positions = list(range(len(operations)))
    for wait_seconds in (*BACK_OFF_SECONDS, None):
        answers = store.bulk([operations[position] for position in open_positions])
        faults: list[tuple[str, str]] = []
        for position, answer in zip(open_positions, answers, strict=True):
            results[position] = answer
            if answer.verdict is Verdict.FAULT:
                faults.append((operations[position].index, answer.reason))
        if faults:
            refuse_lost(store, [index for index, _ in faults])
            raise StoreRefused(f"The store refuses writes until someone acts: {faults[0][1]}")
        open_positions = [
            position
            for position, answer in zip(open_positions, answers, strict=True)
            if answer.verdict is Verdict.RETRY
        ]
        if not open_positions:
            break
        if wait_seconds is None:
            reason = results[open_positions[0]]
            raise StoreUnavailable(
                f"The store does not take writes now: {reason and reason.reason}"
            )
        # Jitter, so that workers that were refused together don't come back together.
        clock.sleep(wait_seconds * random.uniform(0.5, 1.5))  # noqa: S311
    return [result for result in results if result is not None]


def write_all(store: Store, operations: Sequence[Operation], clock: Clock, *, what: str) -> None:
    """Do these operations, as `write` does; a document of the same or a later version stays.

    Args:
        store: where documents are.
        operations: to be done.
        clock: for waiting between tries.
        what: each of them writes, for the error message.

    Raises:
        StoreRefused: also where the store will never take one of them.
    """
    for result in write(store, operations, clock):
        if result.verdict is Verdict.NEVER:
            raise StoreRefused(f"The store refuses {what}: {result.reason}")
