"""A small world around a pipeline: hosts, a broker, processes that end or are overtaken, and time.

It remembers what was sent, so that at rest everything can be compared with the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from stats_pipeline import Drop
from stats_pipeline.clock import ManualClock, format_time, parse_time
from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.queues.opening import open_queue
from stats_pipeline.queues.protocol import Message
from stats_pipeline.settings import read_settings
from stats_pipeline.stores.opening import open_store
from tests.aggregations.host import host_settings, rows
from tests.faults.crashing import CRASHES, Crash, Fate, Watched, WatchedQueue, overtaken_by
from tests.faults.reference import WINDOW_SECONDS, totals
from tests.support import cleared

NOON = datetime(2017, 1, 20, 12, tzinfo=UTC)
LEASE_SECONDS = 5
DAY_SECONDS = 86_400

#: In each of them days begin at other times; India's begin in the middle of a UTC hour.
ZONES = {"utc-agg": "UTC", "india-agg": "Asia/Kolkata"}

#: What nobody can count: as fields that spoil an event.
POISON: list[Event] = [
    {"odd": 1},
    {"size": "many"},
    {"kind": "raise"},
    {"kind": "lack"},
    {"timestamp": "1980-01-01T00:00:00Z"},
]
UNDECODABLE = b"\xff{"


def judge(event: Event) -> Event:
    """Be the host's preprocessor: drop, raise, or let pass."""
    if event.get("kind") == "drop":
        raise Drop("as asked")
    if event.get("kind") == "raise":
        raise RuntimeError(event["event_id"])
    if event.get("kind") == "lack":
        event.pop("missing")
    return event


@dataclass(frozen=True)
class Host:
    """Be where a world is: its double-click rule, its store and queue, a folder of its own."""

    rule: str
    store_url: str
    queue_url: str
    folder: Path
    prefix: str = ""

    def settings(self) -> dict[str, Any]:
        """Return the settings of every process."""
        metrics = {"visitors": ("unique", "visitor_id"), "volume": ("sum", "size")}
        window = {"double_click_window": WINDOW_SECONDS, "double_click_rule": self.rule}
        return {
            "STATS_STORE_URL": self.store_url,
            "STATS_INDEX_PREFIX": self.prefix,
            "STATS_LEASE_SECONDS": LEASE_SECONDS,
            **host_settings(
                self.folder,
                aggregations={
                    name: {"time_zone": zone, "metrics": metrics} for name, zone in ZONES.items()
                },
                preprocessors=[judge],
                **({"double_click_window": 0} if self.rule == "off" else window),
            ),
        }


@dataclass(frozen=True)
class Fault:
    """Say what happens at which call of a process: a way to end, or what others do meanwhile."""

    call: int
    crash: str = ""
    meanwhile: tuple[str, ...] = ()


class World:
    """Let things happen to the pipeline of a host.

    Attributes:
        sent: the events that must be counted.
        dead: the ids of those that can't be.
        published: how many were published in all, and messages that are none.
        messages: copies of all that was ever in the queue.
        chance: in which order the queue gives its messages; None: as they came.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.settings = host.settings()
        self.clock = ManualClock(NOON)
        self.store = open_store(host.store_url, index_prefix=host.prefix)
        self.queue = open_queue(host.queue_url)
        self.sent: list[Event] = []
        self.dead: set[str] = set()
        self.published = 0
        self.messages: list[tuple[str, bytes]] = []
        self.chance: Random | None = None
        self._numbers = count(1)
        self.start_process()

    def start_process(self) -> None:
        """Go on in a new process, which knows nothing of those before."""
        self.fate = Fate()
        self.pipeline = Pipeline(
            read_settings(self.settings), instance_path=str(self.host.folder), clock=self.clock
        )
        connections = vars(self.pipeline._connections)
        connections["store"] = Watched(self.store, self.fate)
        connections["queue"] = WatchedQueue(
            self.queue,
            self.fate,
            copies=self.messages,
            reorder=self._reorder,
        )

    def let(self, work: str, fault: Fault | None = None) -> int:
        """Let the process work; return how many calls that took. Where it ends, start another."""
        if fault is not None:
            meanwhile = overtaken_by(lambda: self.elsewhere(fault.meanwhile))
            self.fate.seal(fault.call, CRASHES.get(fault.crash, meanwhile))
        fate = self.fate
        try:
            WORKS[work](self)
        except Crash:
            self.start_process()
        finally:
            calls = fate.unseal()
        return calls

    def elsewhere(self, works: tuple[str, ...]) -> None:
        """Let another process work, and come back to the one that was stopped for it."""
        pipeline, fate = self.pipeline, self.fate
        self.start_process()
        for work in works:
            WORKS[work](self)
        self.pipeline, self.fate = pipeline, fate

    def send_new(self, event: Event) -> Event:
        """Send an event that counts; times repeat in all but their milliseconds."""
        number = next(self._numbers)
        time = event["timestamp"].replace(microsecond=0) + timedelta(milliseconds=number)
        return self._send(
            {
                **event,
                "timestamp": time,
                "event_id": f"e{number}",
                "revision": 0,
                "withdrawn": False,
            }
        )

    def correct(self, event: Event, **changes: Any) -> Event:
        """Send what is right about an event that was sent before."""
        revisions = [e["revision"] for e in self.sent if e["event_id"] == event["event_id"]]
        return self._send({**event, **changes, "revision": max(revisions) + 1})

    def send_uncounted(self, event: Event, *, is_dead: bool) -> None:
        """Send an event that becomes a dead letter, or is dropped."""
        uncounted = {**event, "event_id": f"p{next(self._numbers)}"}
        self._publish(uncounted)
        if is_dead:
            self.dead.add(uncounted["event_id"])

    def send_undecodable(self) -> None:
        """Let something come into the queue that is no message."""
        self.queue.publish(self.pipeline.registries.event_type("visit").queue_name, [UNDECODABLE])
        # However often it comes, it is the same to everybody.
        self.published += "undecodable" not in self.dead
        self.dead.add("undecodable")

    def redeliver(self, numbers: list[int]) -> None:
        """Put some of the messages that ever were in the queue into it once more."""
        for number in numbers:
            name, body = self.messages[number % len(self.messages)]
            self.queue.publish(name, [body])

    def come_to_rest(self) -> None:
        """Let everything catch up with nothing in its way, and compare it with the reference."""
        self.start_process()
        self.clock.advance(2 * DAY_SECONDS)
        while process(self.pipeline):
            pass
        assert self.pipeline.update().is_complete
        self.check()

    def end(self) -> None:
        """Come to rest; the totals also stay what they are when all is computed anew."""
        self.come_to_rest()
        assert self.pipeline.reset().is_complete
        self.check()

    def close(self) -> None:
        """Let go of store and queue."""
        self.store.close()
        self.queue.close()

    def check(self) -> None:
        """Compare everything with the reference."""
        for name, zone in ZONES.items():
            counted = {}
            for row in rows(self.pipeline, name):
                day = f"{parse_time(row['start']).astimezone(ZoneInfo(zone)):%Y-%m-%d}"
                assert (day, row["page"]) not in counted
                counted[day, row["page"]] = (row["count"], row["visitors"], row["volume"])
            assert counted == totals(self.sent, self.host.rule, zone), name
        assert len(self.pipeline.dead_letters.list()) == len(self.dead)
        balance = self.pipeline.balance()
        assert balance.is_closed, balance
        assert balance.types["visit"].accepted == self.published

    def _reorder(self, messages: list[Message]) -> None:
        if self.chance:
            self.chance.shuffle(messages)

    def _send(self, event: Event) -> Event:
        self._publish(event)
        self.sent.append(event)
        return event

    def _publish(self, event: Event) -> None:
        """Publish an event; a host whose `publish` did not return does it again."""
        time = event["timestamp"]
        body = {**event, "timestamp": time if isinstance(time, str) else format_time(time)}
        try:
            self.pipeline.publish("visit", [body])
        except Crash:
            self.start_process()
            self.pipeline.publish("visit", [body])
        self.published += 1


#: What processes do, and what happens to all of them.
WORKS: dict[str, Callable[[World], object]] = {
    "process": lambda world: process(world.pipeline),
    "update": lambda world: world.pipeline.update(),
    "reset": lambda world: world.pipeline.reset(),
    "event": lambda world: world.sent and world.send_new(world.sent[-1]),
    "withdrawal": lambda world: world.sent and world.correct(world.sent[-1], withdrawn=True),
    "pause": lambda world: world.clock.advance(LEASE_SECONDS + 1),
    "clock back": lambda world: world.clock.advance(-3_600),
}


@contextmanager
def embedded_world(rule: str) -> Iterator[World]:
    """Give a world on SQLite files; in memory where the system has room for files there."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        url = f"sqlite:///{folder}/stats.db"
        world = World(Host(rule, url, url, Path(folder)))
        yield world
        world.close()


@contextmanager
def elasticsearch_world(rule: str, store_url: str) -> Iterator[World]:
    """Give a world on Elasticsearch and a SQLite queue; nothing of it is left behind."""
    prefix = f"t{token_hex(4)}-"
    with cleared(store_url, prefix), TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/stats.db"
        world = World(Host(rule, store_url, url, Path(folder), prefix))
        yield world
        world.close()


def process(pipeline: Pipeline) -> int:
    """Drain the queue; return how many events were taken, of each of which something became."""
    report = pipeline.process_events()
    assert not report.error, report
    became = report.indexed + report.duplicates + report.dropped + report.dead
    assert report.taken == became, report
    return report.taken
