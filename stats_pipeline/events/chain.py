"""The chain of preprocessors, and what a preprocessor may ask of the run that it is part of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from stats_pipeline.agents import AgentList, agent_lists
from stats_pipeline.clock import Clock
from stats_pipeline.errors import StatsError
from stats_pipeline.events.salts import Salts
from stats_pipeline.model import Drop, Event, Preprocessor
from stats_pipeline.registry import EventDefinition
from stats_pipeline.stores.protocol import State


@dataclass(frozen=True, slots=True)
class ChainContext:
    """Be what preprocessors need beside the event; as it is by default outside of any run.

    Attributes:
        salts: those of the event type; None outside of a run.
        agent_lists: who is a robot, who a machine, by the names in `stats_pipeline.agents`.
        country_database: path of the file that knows the countries of addresses, if there is one.
    """

    salts: Salts | None = None
    agent_lists: Mapping[str, AgentList] = field(default_factory=agent_lists)
    country_database: str | None = None

    @classmethod
    def of(cls, definition: EventDefinition, state: State, clock: Clock) -> ChainContext:
        """Return the context of an event type: its salts, and what the host's settings say."""
        config, settings = definition.config, definition.settings
        salts = Salts(
            state,
            definition.alias,
            config.salt_window,
            clock,
            overlap_seconds=config.sliding_seconds,
        )
        return cls(
            salts,
            agent_lists(
                settings["STATS_ROBOTS_LIST"],
                settings["STATS_MACHINES_LIST"],
                settings["STATS_ROBOTS_ALLOWED"],
            ),
            settings["STATS_COUNTRY_DATABASE"],
        )


_context: ContextVar[ChainContext] = ContextVar("chain_context")


def run_chain(preprocessors: Sequence[Preprocessor], event: Event) -> Event:
    """Return the event as the preprocessors leave it, each given the previous one's result.

    Raises `Drop` where one of them leaves the event out; returning None does so, too. Raises
    TypeError where one returns what is no event.
    """
    for preprocessor in preprocessors:
        result = preprocessor(event)
        if result is None:
            raise Drop("preprocessor returned nothing")
        if not isinstance(result, dict):
            name = getattr(preprocessor, "__name__", type(preprocessor).__name__)
            raise TypeError(f"{name} returned no dict, but a {type(result).__name__}")
        event = result
    return event


@contextmanager
def running_in(context: ChainContext) -> Iterator[None]:
    """Make this the context of the preprocessors that run inside."""
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)


def current_context() -> ChainContext:
    """Return the context of the run that this is part of."""
    return _context.get(None) or ChainContext()


def current_salts() -> Salts:
    """Return the salts of the event type whose events are being prepared."""
    salts = current_context().salts
    if salts is None:
        raise StatsError(
            "anonymize_user needs the salts of an event type: it runs where events are "
            "processed (current_stats.process_events), not on its own"
        )
    return salts
