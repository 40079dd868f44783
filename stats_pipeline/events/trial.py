"""Trial: find the event that ends every process which processes it, and let it do so no more.

A segfault or a lack of memory leaves nobody who could bury an event, so the next process is given
the same message, and so on for ever. A message that has come back many times is therefore tried
alone, and if processes go on ending, each of its events alone. What is being tried is written down
before and taken back behind it, whatever went wrong: only what ends the process leaves it there.
So an innocent event would have to be what a kill meets by chance, three times, alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from stats_pipeline.clock import Clock
from stats_pipeline.stores.protocol import Record, State

KIND = "trial"

#: A message that has come back so often is tried alone. Kills and outages bring back many innocent
#: ones, which that costs some time.
MANY_RETURNS = 10

#: So many processes that ended at one thing are no chance.
MANY_ENDS = 3

#: What stands for the message as a whole, beside the positions of its events.
WHOLE = "whole"


class Trial:
    """Know how many processes have ended at a message and its events while trying these alone.

    Args:
        state: where that is written down.
        queue_name: where the message comes from.
        body: the message.
        clock: for the time of the record.
    """

    def __init__(self, state: State, queue_name: str, body: bytes, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._key = sha256(queue_name.encode() + b"\0" + body).hexdigest()
        (record,) = state.get(KIND, [self._key])
        self._ends: dict[str, int] = {} if record is None else dict(record.body)

    def is_deadly(self, part: str) -> bool:
        """Tell whether too many processes have ended at this part."""
        return self._ends.get(part, 0) >= MANY_ENDS

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count an end of the process inside, and nothing else."""
        self._write({**self._ends, part: self._ends.get(part, 0) + 1})
        try:
            yield
        finally:
            self._write(self._ends)

    def close(self) -> None:
        """Forget the message, which is finished."""
        for record in self._state.get(KIND, [self._key]):
            if record is not None:
                self._state.delete(record)

    def _write(self, ends: dict[str, int]) -> None:
        self._state.put([Record(KIND, self._key, time=self._clock.now(), body=ends)])
