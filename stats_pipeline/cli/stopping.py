"""Ending on request: a command that is told to end finishes what it has begun."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Give what tells whether SIGTERM has come; a second one ends the process as usual.

    Does nothing in threads other than the main one, where Python takes no signals.
    """
    is_asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield is_asked.is_set
        return

    def note(number: int, _frame: FrameType | None) -> None:
        is_asked.set()
        signal.signal(number, before)

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield is_asked.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
