"""The chain of preprocessors, and what a preprocessor may ask of the run that it is part of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from stats_pipeline.errors import StatsError
from stats_pipeline.events.salts import Salts
from stats_pipeline.model import Drop, Event, Preprocessor

_salts: ContextVar[Salts] = ContextVar("salts")


def run_chain(preprocessors: Sequence[Preprocessor], event: Event) -> Event:
    """Return the event as the preprocessors leave it, each given the previous one's result.

    Raises `Drop` where one of them leaves the event out; returning None does so, too.
    """
    for preprocessor in preprocessors:
        result = preprocessor(event)
        if result is None:
            raise Drop("preprocessor returned nothing")
        event = result
    return event


@contextmanager
def hashing_with(salts: Salts) -> Iterator[None]:
    """Make these the salts of the preprocessors that run inside."""
    token = _salts.set(salts)
    try:
        yield
    finally:
        _salts.reset(token)


def current_salts() -> Salts:
    """Return the salts of the event type whose events are being prepared."""
    try:
        return _salts.get()
    except LookupError:
        raise StatsError(
            "anonymize_user needs the salts of an event type: it runs where events are "
            "processed (current_stats.process_events), not on its own"
        ) from None
