"""Steps: how far a job of many intervals is, and what it waits for, for whoever looks on."""

from __future__ import annotations

from collections.abc import Callable

#: Called with how many intervals are done, and how many there are; the second may change.
Progress = Callable[[int, int], None]

#: Called with a sentence, where for a while nothing goes on.
Notice = Callable[[str], None]


class Steps:
    """Add up the intervals of one job.

    Args:
        progress: told of each interval that is done.
        notice: told what the job waits for.
    """

    def __init__(self, progress: Progress | None = None, notice: Notice | None = None) -> None:
        self.is_seen = progress is not None
        self._progress = progress
        self._notice = notice
        self._done = self._total = 0

    def expect(self, number: int) -> None:
        """Reckon with so many more intervals; fewer, where it is negative."""
        self._total += number

    def step(self) -> None:
        """Say that one more interval is done."""
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)

    def wait(self, text: str) -> None:
        """Say what the job waits for."""
        if self._notice:
            self._notice(text)
