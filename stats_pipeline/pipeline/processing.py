"""Processing: drain the queues of several event types, each on its own."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from stats_pipeline.clock import Clock
from stats_pipeline.errors import StatsError, without_title
from stats_pipeline.events.dead_letters import DeadLetters
from stats_pipeline.events.drain import Drain, Indexer, Progress
from stats_pipeline.events.ledger import Ledger
from stats_pipeline.queues.protocol import Queue
from stats_pipeline.registry import EventDefinition
from stats_pipeline.reports import OUTCOMES, ProcessingReport, TypeReport
from stats_pipeline.stores import fixed
from stats_pipeline.stores.protocol import Store
from stats_pipeline.text import get_logger

logger = get_logger(__name__)


class Processing:
    """Take events from their queues into the store; keeps one indexer for each event type."""

    def __init__(
        self,
        *,
        store: Store,
        queue: Queue,
        dead_letters: DeadLetters,
        ledger: Ledger,
        clock: Clock,
        earliest: datetime,
    ) -> None:
        self._store = store
        self._queue = queue
        self._dead_letters = dead_letters
        self._ledger = ledger
        self._clock = clock
        self._earliest = earliest
        self._indexers: dict[str, Indexer] = {}
        #: Moves on with each type that had its turn. A random one is first in a new process, which
        #: may be there for a single call.
        self._turn = secrets.randbelow(2**31)
        #: (event type, outcome) -> events that this process has processed; threads count at the
        #: same time, so at least so many.
        self.counts: Counter[tuple[str, str]] = Counter()

    def process(
        self,
        definitions: Sequence[EventDefinition],
        time_limit_seconds: float | None,
        progress: Progress | None,
        should_stop: Callable[[], bool] | None,
    ) -> ProcessingReport:
        """Drain these event types one after the other; one that fails does not stop the others.

        Where the time is limited, another type is the first each time, and they share the time:
        what keeps coming in for one of them must not keep the others waiting for ever.
        """
        started = self._clock.monotonic()
        reports = {definition.name: TypeReport() for definition in definitions}
        first = 0 if time_limit_seconds is None else self._turn % max(1, len(definitions))
        for number, definition in enumerate([*definitions[first:], *definitions[:first]]):
            share = None
            if time_limit_seconds is not None:
                left = time_limit_seconds - (self._clock.monotonic() - started)
                share = left / (len(definitions) - number)
            if (share is not None and share <= 0) or (should_stop is not None and should_stop()):
                break
            self._turn += 1
            reports[definition.name] = self._drain(definition, share, progress, should_stop)
        for name, report in reports.items():
            for outcome in OUTCOMES:
                self.counts[name, outcome] += getattr(report, outcome)
        return ProcessingReport.of(reports)

    def _drain(
        self,
        definition: EventDefinition,
        seconds: float | None,
        progress: Progress | None,
        should_stop: Callable[[], bool] | None,
    ) -> TypeReport:
        try:
            drain = Drain(
                definition=definition,
                indexer=self._indexer(definition),
                queue=self._queue,
                dead_letters=self._dead_letters,
                ledger=self._ledger,
                state=self._store.state,
                clock=self._clock,
            )
            return drain.run(time_limit_seconds=seconds, progress=progress, should_stop=should_stop)
        except StatsError as error:
            text = without_title(error, definition.title)
            logger.error("%s: %s", definition.title, text)
            return TypeReport(error=text)
        except Exception as error:  # a host's own processor_class may raise anything
            logger.exception("%s", definition.title)
            return TypeReport(error=repr(error))

    def _indexer(self, definition: EventDefinition) -> Indexer:
        if definition.name not in self._indexers:
            fixed.hold(self._store.state, **definition.fixed)
            self._indexers[definition.name] = definition.processor_class(
                definition,
                store=self._store,
                dead_letters=self._dead_letters,
                clock=self._clock,
                earliest=self._earliest,
            )
        return self._indexers[definition.name]
