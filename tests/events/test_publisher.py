"""The publisher: what the queue does not take now is sent later, and hurts nothing else."""

import multiprocessing
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from scripts.services.server import wait_until
from stats_pipeline.errors import MessageRefused, QueueUnavailable
from stats_pipeline.events import buffer
from stats_pipeline.events import publisher as module
from stats_pipeline.events.envelope import LARGEST_EVENT_BYTES, to_json
from stats_pipeline.events.messages import MESSAGE_BYTES, Numbering, decode
from stats_pipeline.events.publisher import Publisher
from stats_pipeline.queues.sqlite import SqliteQueue

PATIENCE_SECONDS = 10
EVENT = {"event_id": "e", "timestamp": "2016-12-18T10:00:00.000Z"}


class MoodyQueue(SqliteQueue):
    """A queue that takes nothing under some names, or no message with some content."""

    takes_nothing: frozenset[str] = frozenset()
    takes_no: bytes | None = None
    asked = 0

    def publish(self, name: str, bodies: Sequence[bytes]) -> None:
        """Take messages, or not."""
        self.asked += 1
        if name in self.takes_nothing:
            raise QueueUnavailable(f"{name} takes nothing")
        if self.takes_no and any(self.takes_no in body for body in bodies):
            raise MessageRefused("too large")
        super().publish(name, bodies)

    def has(self, name: str, number: int) -> None:
        """Wait until so many messages are there."""
        wait_until(lambda: self.depth(name) == number, timeout_seconds=PATIENCE_SECONDS)


@pytest.fixture
def queue(tmp_path: Path) -> MoodyQueue:
    """Give the queue that events belong to."""
    return MoodyQueue(tmp_path / "queue.db")


@pytest.fixture
def publisher(
    queue: MoodyQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Publisher]:
    """Give a publisher with a spool and a buffer of two events."""
    monkeypatch.setattr(module, "RESEND_SECONDS", 0.1)
    publisher = Publisher(queue, SqliteQueue(tmp_path / "spool.db"), buffer_events=2)
    yield publisher
    queue.takes_nothing = frozenset()
    publisher.close()


def test_what_does_not_fit_into_the_buffer_is_sent_as_well(
    publisher: Publisher, queue: MoodyQueue
) -> None:
    """It goes to the spool, and from there to the queue by the process that spooled it."""
    publisher.emit("x", [EVENT])
    queue.has("x", 1)
    publisher.emit("x", [EVENT] * 5)
    queue.has("x", 2)


def test_what_is_spooled_is_sent_again_after_every_outage(
    publisher: Publisher, queue: MoodyQueue
) -> None:
    """Not only after the first one, and though nothing passes through the buffer."""
    for outage in range(3):
        queue.takes_nothing = frozenset({"x"})
        publisher.publish("x", [EVENT])
        assert queue.depth("x") == outage
        queue.takes_nothing = frozenset()
        queue.has("x", outage + 1)
        wait_until(lambda: not publisher.spooled(), timeout_seconds=PATIENCE_SECONDS)


def test_a_flush_does_not_end_before_another_process_has_sent_what_it_holds(
    publisher: Publisher, queue: MoodyQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody is sending from a shared spool may come back to it."""
    monkeypatch.setattr(module, "RESEND_SECONDS", 1_000)
    queue.takes_nothing = frozenset({"x"})
    publisher.publish("x", [EVENT])
    with SqliteQueue(tmp_path / "spool.db").consume("x") as other:
        wait_until(lambda: other.take() is not None, timeout_seconds=PATIENCE_SECONDS)
        queue.takes_nothing = frozenset()
        assert not publisher.flush(0.1)
        threading.Timer(0.2, other.close).start()
        assert publisher.flush(PATIENCE_SECONDS)
    assert queue.depth("x") == 1


HOLD = """
import sys
from stats_pipeline.queues.sqlite import SqliteQueue
with SqliteQueue(sys.argv[1]).consume("x") as consumer:
    print(consumer.take().tag, flush=True)
    sys.stdin.read()
"""


def test_what_another_process_held_when_it_was_killed_is_sent_by_those_that_live(
    publisher: Publisher, queue: MoodyQueue, tmp_path: Path
) -> None:
    """Though they looked before, and there was nothing else to send."""
    path = str(tmp_path / "spool.db")
    SqliteQueue(path).publish("x", [b"theirs"])
    with Popen([sys.executable, "-c", HOLD, path], stdin=PIPE, stdout=PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        publisher.emit("y", [EVENT])
        queue.has("y", 1)
        assert not publisher.flush(0.1)
        other.kill()
    queue.has("x", 1)


def test_what_a_process_left_that_was_killed_later_is_sent_by_those_that_live(
    publisher: Publisher, queue: MoodyQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They look again now and then, also where they spool nothing themselves."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.1)
    publisher.emit("y", [EVENT])
    queue.has("y", 1)
    assert publisher.flush(PATIENCE_SECONDS)
    SqliteQueue(tmp_path / "spool.db").publish("x", [b"theirs"])
    queue.has("x", 1)


def test_a_queue_that_takes_nothing_does_not_keep_the_spool_of_others(
    publisher: Publisher, queue: MoodyQueue
) -> None:
    """The spool of one event type waits, that of the next is sent."""
    queue.takes_nothing = frozenset({"a", "b"})
    publisher.publish("a", [EVENT])
    publisher.publish("b", [EVENT])
    queue.takes_nothing = frozenset({"a"})
    queue.has("b", 1)
    assert not publisher.flush(PATIENCE_SECONDS)
    assert publisher.spooled() == 1


def test_a_queue_that_took_nothing_is_not_asked_again_by_those_who_publish(
    publisher: Publisher, queue: MoodyQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would wait for it; the background thread finds out when it takes something again."""
    monkeypatch.setattr(module, "RESEND_SECONDS", 1_000)
    queue.takes_nothing = frozenset({"x"})
    publisher.publish("x", [EVENT])
    queue.has("y", 0)
    # The thread has its try, and none after it.
    publisher.flush(PATIENCE_SECONDS)
    asked = queue.asked
    for _ in range(10):
        publisher.publish("x", [EVENT])
    assert (queue.asked, publisher.spooled()) == (asked, 11)
    publisher.publish("y", [EVENT])
    assert queue.depth("y") == 1
    queue.takes_nothing = frozenset()
    assert publisher.flush(PATIENCE_SECONDS)
    publisher.publish("x", [EVENT])
    assert (queue.depth("x"), publisher.counts["sent"]) == (12, 2)


def test_a_message_that_is_refused_for_good_costs_only_itself(
    publisher: Publisher, queue: MoodyQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that were sent with it, and those behind it in the spool, are sent all the same."""
    queue.takes_no = b"huge"
    huge = {**EVENT, "event_id": "huge"}
    filler = {**EVENT, "text": "x" * MESSAGE_BYTES}
    publisher.publish("x", [EVENT, filler, huge, filler])
    publisher.publish("x", [EVENT])
    assert not publisher.flush(PATIENCE_SECONDS)
    assert publisher.spooled() == 1
    assert "stays in the spool: too large" in caplog.text
    queue.takes_no = None
    assert publisher.flush(PATIENCE_SECONDS)
    assert publisher.spooled() == 0


def test_large_events_are_not_all_kept_in_memory(
    tmp_path: Path, queue: MoodyQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A buffer of many events has a limit in bytes too; what exceeds it goes to the spool."""
    monkeypatch.setattr(buffer, "BUFFER_BYTES", 3 * len(to_json(EVENT)))
    is_free = threading.Event()
    send = queue.publish

    def hang(name: str, bodies: Sequence[bytes]) -> None:
        is_free.wait()
        send(name, bodies)

    monkeypatch.setattr(queue, "publish", hang)
    publisher = Publisher(queue, SqliteQueue(tmp_path / "spool.db"), buffer_events=1_000)
    for _ in range(10):
        publisher.emit("x", [EVENT])
    assert publisher.spooled() >= 7
    is_free.set()
    publisher.close()
    assert publisher.spooled() + queue.depth("x") == 8


def test_a_child_of_multiprocessing_sends_the_rest_when_it_ends(
    publisher: Publisher, queue: MoodyQueue
) -> None:
    """It ends without Python's exit handlers, just after it has emitted something."""
    child = multiprocessing.get_context("fork").Process(target=publisher.emit, args=("x", [EVENT]))
    child.start()
    child.join(PATIENCE_SECONDS)
    assert child.exitcode == 0
    assert queue.depth("x") == 1


def test_a_spool_that_never_ends_does_not_keep_what_is_emitted(
    publisher: Publisher, queue: MoodyQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in memory is lost with the process, so it gets its turn in between."""
    send, spool = queue.publish, publisher._outlet._spool
    assert spool is not None

    def refill(name: str, bodies: Sequence[bytes]) -> None:
        if name == "x" and not queue.depth("y"):
            spool.publish("x", [b"more"])
        send(name, bodies)

    monkeypatch.setattr(queue, "publish", refill)
    spool.publish("x", [b"first"])
    publisher.emit("x", [EVENT])
    wait_until(lambda: queue.depth("x") > 2, timeout_seconds=PATIENCE_SECONDS)
    publisher.emit("y", [EVENT])
    queue.has("y", 1)


def test_a_thread_that_can_not_be_started_is_tried_again(
    publisher: Publisher, queue: MoodyQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that has no room for it now may have some for the next event."""
    start = threading.Thread.start

    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(RuntimeError):
        publisher.emit("x", [EVENT])
    monkeypatch.setattr(threading.Thread, "start", start)
    publisher.emit("y", [EVENT])
    queue.has("x", 1)
    queue.has("y", 1)


def test_an_event_is_sent_as_it_was_when_it_was_emitted(
    publisher: Publisher, queue: MoodyQueue
) -> None:
    """What the host does with its own dict afterwards changes no event, and loses none."""
    shared = {"before": 1}
    publisher.emit("x", [{**EVENT, "extra": shared}])
    shared["after"] = object()  # type: ignore[assignment]
    publisher.emit("x", [EVENT])
    assert publisher.flush(PATIENCE_SECONDS)
    with queue.consume("x") as consumer:
        events = []
        while message := consumer.take():
            events += decode(message.body).events
    assert events == [{**EVENT, "extra": {"before": 1}}, EVENT]


def test_a_message_stays_below_what_brokers_take() -> None:
    """Large events travel in smaller batches; none is lost or moved."""
    events = [{"event_id": str(n), "text": "x" * 30_000} for n in range(200)]
    messages = [each.body for each in Numbering().number("q", map(to_json, events))]
    assert max(map(len, messages)) < MESSAGE_BYTES + 10_000
    assert [event for message in messages for event in decode(message).events] == events
    large = {"text": "x" * LARGEST_EVENT_BYTES}
    numbered = Numbering().number("q", map(to_json, [large, large]))
    assert [decode(each.body).events for each in numbered] == [[large]] * 2
