"""The lease on the flags of double clicks: by the sliding rule, one at a time may write them.

Whoever sets a flag writes the whole event back as it was read, over the same version. So all that
changes a stored event without giving it a higher version, as imports and their undoing do, holds
this lease too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stats_pipeline.aggregations.lease import acquire
from stats_pipeline.clock import Clock
from stats_pipeline.registry import EventDefinition
from stats_pipeline.stores.protocol import State

#: How often it is tried. An update lets go of it between any two intervals.
PAUSE_SECONDS = 0.05


def flags_key(definition: EventDefinition) -> str:
    """Return the key of the lease."""
    return f"{definition.alias}/double-clicks"


@contextmanager
def alone_with_flags(
    definition: EventDefinition, state: State, clock: Clock, lease_seconds: float
) -> Iterator[Callable[[], None]]:
    """Wait for the lease and hold it; nothing where the event type has not the sliding rule.

    Gives what is to be called before each write: it raises LeaseLost where the process was stopped
    for so long that somebody else may have the lease by now.
    """
    if not definition.config.sliding_seconds:
        yield lambda: None
        return
    while (lease := acquire(state, clock, flags_key(definition), lease_seconds)) is None:
        clock.sleep(PAUSE_SECONDS)
    with lease.held():
        yield lease.check
