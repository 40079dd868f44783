"""Drain a queue: gather messages, let the indexer do them as one batch, then acknowledge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from math import inf
from typing import Any, Protocol

from stats_pipeline.clock import Clock
from stats_pipeline.errors import QueueError, StatsError, without_title
from stats_pipeline.events import probes
from stats_pipeline.events.dead_letters import DeadLetters
from stats_pipeline.events.ledger import Entry, Ledger
from stats_pipeline.events.letter import DeadLetter
from stats_pipeline.events.messages import Received, decode
from stats_pipeline.events.probes import Probe
from stats_pipeline.events.trial import MANY_RETURNS, WHOLE, Trial
from stats_pipeline.queues.protocol import Consumer, Message, Queue
from stats_pipeline.registry import EventDefinition
from stats_pipeline.reports import Outcome, TypeReport
from stats_pipeline.stores.protocol import State
from stats_pipeline.text import get_logger

logger = get_logger(__name__)

Progress = Callable[[int, int], None]

Index = Callable[[Sequence[Any]], Sequence[Outcome]]

#: Events in one bulk: enough to be fast, little enough to be held in memory many times over.
BATCH_EVENTS = 2_000

#: Of the messages of one bulk, so that memory is bounded where events are large.
BATCH_BYTES = 8_000_000

#: Of a message that is none of ours: its dead letter must fit into a request, with all escapes.
KEPT_BYTES = 1_000_000

DEADLY = (
    "Every process that processed it ended without a word, as by a crash in a preprocessor or for "
    "lack of memory"
)

#: Of so many events, or those of one larger batch, more dead ones than the share end the drain.
ALARM_EVENTS = 1_000
ALARM_SHARE = 0.05


class Indexer(Protocol):
    """Take events into the store; what a `processor_class` makes."""

    def index(self, events: Sequence[Any]) -> Sequence[Outcome]:
        """Store these events and return what became of each, in order; safe to repeat."""
        ...


@dataclass(slots=True)
class Batch:
    """Collect messages that are finished together.

    Attributes:
        messages: as the queue gave them.
        is_suspect: it is one message, at which processes may have ended (see `Trial`).
        probes: test messages among them; all others follow.
        received: what each holds; its text where it is no message of ours.
        letters: the dead letter of each that is no message of ours, else None.
        size_events, size_bytes: of all of them.
    """

    messages: list[Message] = field(default_factory=list)
    is_suspect: bool = False
    probes: list[Probe] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    letters: list[DeadLetter | None] = field(default_factory=list)
    size_events: int = 0
    size_bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Tell whether it is large enough."""
        return self.size_events >= BATCH_EVENTS or self.size_bytes >= BATCH_BYTES

    def add(self, received: Received, letter: DeadLetter | None = None) -> None:
        """Take in what a message holds."""
        self.received.append(received)
        self.letters.append(letter)
        self.size_events += len(received.events)


@dataclass(frozen=True, kw_only=True)
class Drain:
    """Process the waiting events of one type.

    Attributes:
        definition: of the event type.
        indexer: takes its events.
        queue: where they come from.
        dead_letters: where messages go that are none of ours.
        ledger: where every finished message is entered.
        state: where probes are answered, and trials are written down.
        clock: for the time limit.
    """

    definition: EventDefinition
    indexer: Indexer
    queue: Queue
    dead_letters: DeadLetters
    ledger: Ledger
    state: State
    clock: Clock

    def run(
        self,
        *,
        time_limit_seconds: float | None = None,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> TypeReport:
        """Work until nothing is left, the time is up or it should stop; report what was done.

        One batch is begun in any case. Messages are acknowledged after their batch is finished; on
        an error, which the report then tells, they stay in the queue.
        """
        limit_seconds = inf if time_limit_seconds is None else time_limit_seconds
        deadline = self.clock.monotonic() + limit_seconds
        report = TypeReport()
        try:
            for done, messages in self._batches():
                report += done
                if progress:
                    progress(report.taken, report.taken + self._waiting(done.taken, messages))
                is_late = self.clock.monotonic() >= deadline
                if done.alarm or is_late or (should_stop is not None and should_stop()):
                    break
        except StatsError as error:
            text = without_title(error, self.definition.title)
            logger.error("%s: %s", self.definition.title, text)
            return report + TypeReport(error=text)
        return report

    def _batches(self) -> Iterator[tuple[TypeReport, int]]:
        """Yield what became of each batch, and of how many messages it was."""
        judged = TypeReport()
        suspects: list[Message] = []
        with self.queue.consume(self.definition.queue_name) as consumer:
            while (batch := self._gather(consumer, suspects)).messages:
                finish = self._try if batch.is_suspect else self._finish
                report = TypeReport.of_outcomes(finish(batch))
                consumer.acknowledge(batch.messages)
                # A batch of small messages has too few events to be judged alone.
                judged += report
                yield report + TypeReport(alarm=_alarm(judged)), len(batch.messages)
                if judged.taken >= ALARM_EVENTS:
                    judged = TypeReport()

    def _gather(self, consumer: Consumer, suspects: list[Message]) -> Batch:
        """Return the next batch; a suspect that ends it waits in the list, and is the next one."""
        batch = Batch()
        while not (batch.is_full or suspects) and (message := consumer.take()) is not None:
            if message.returned >= MANY_RETURNS:
                suspects.append(message)
            else:
                self._read(message, batch)
        if suspects and not batch.messages:
            batch.is_suspect = True
            self._read(suspects.pop(), batch)
        return batch

    def _read(self, message: Message, batch: Batch) -> None:
        body = message.body
        batch.messages.append(message)
        batch.size_bytes += len(body)
        if probe := probes.read(body):
            batch.probes.append(probe)
            return
        try:
            batch.add(decode(body))
        except ValueError as error:
            text = body[:KEPT_BYTES].decode("utf-8", "backslashreplace")
            name = self.definition.name
            letter = self.dead_letters.of(name, text, "undecodable", str(error), "queue")
            batch.add(Received([text]), letter)

    def _try(self, batch: Batch) -> list[Outcome]:
        """Finish a message that came back many times, but for events that end every process."""
        (message,) = batch.messages
        trial = Trial(self.state, self.definition.queue_name, message.body, self.clock)
        if trial.is_deadly(WHOLE):
            outcomes = self._finish(batch, partial(self._index_each, trial))
        else:
            with trial.of(WHOLE):
                outcomes = self._finish(batch)
        trial.close()
        return outcomes

    def _index_each(self, trial: Trial, events: Sequence[Any]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for position, event in enumerate(events):
            part = str(position)
            if trial.is_deadly(part):
                letter = self.dead_letters.of(
                    self.definition.name, event, "preprocessor", DEADLY, "process"
                )
                logger.error("%s: dead letter %s: %s", self.definition.title, letter.id, DEADLY)
                self.dead_letters.keep([letter])
                outcomes.append(Outcome("dead"))
            else:
                with trial.of(part):
                    outcomes += self.indexer.index([event])
        return outcomes

    def _finish(self, batch: Batch, index: Index | None = None) -> list[Outcome]:
        """Do what must be done before the acknowledgement; return what became of each event."""
        pairs = list(zip(batch.received, batch.letters, strict=True))
        events = [event for received, letter in pairs if not letter for event in received.events]
        indexed = iter((index or self.indexer.index)(events))
        self.dead_letters.keep([letter for letter in batch.letters if letter])
        outcomes: list[Outcome] = []
        entries: list[Entry] = []
        for received, letter in pairs:
            count = len(received.events)
            own = [Outcome("dead")] if letter else list(islice(indexed, count))
            outcomes += own
            entries += self.ledger.processed(self.definition.name, received, own)
        # After all that the entries speak of.
        self.ledger.enter(entries)
        for probe in batch.probes:
            probes.answer(self.state, probe, self.clock)
        return outcomes

    def _waiting(self, events: int, messages: int) -> int:
        """Return about how many events wait: in messages as large as those of the last batch."""
        try:
            return self.queue.depth(self.definition.queue_name) * events // messages
        except QueueError:
            return 0


def _alarm(judged: TypeReport) -> str:
    if judged.taken < ALARM_EVENTS or judged.dead <= judged.taken * ALARM_SHARE:
        return ""
    return (
        f"{judged.dead} of {judged.taken} events became dead letters: look at them with "
        "`stats dead-letters list` before more are processed"
    )
