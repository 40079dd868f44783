"""What every queue must do: one suite, run by each implementation on the real thing.

A subclass provides the fixtures `queue`, `second_queue` (another client of the same queues, as
another process would have) and `queue_url` (opens a client of them in another process).
"""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from scripts.services.server import wait_until
from stats_pipeline.queues.protocol import Consumer, Message, Queue

OTHER_PROCESS = Path(__file__).with_name("other_process.py")
WITHIN_SECONDS = 60


class QueueContract:
    """Be all that is promised in `stats_pipeline.queues.protocol`."""

    def test_what_was_published_is_delivered(self, queue: Queue, name: str) -> None:
        """Each message should come once, byte by byte, in whatever order."""
        bodies = [b"", b"\x00\xff", "ä".encode(), b'[{"a": 1}]']
        queue.publish(name, bodies[:1])
        queue.publish(name, bodies[1:])
        assert drain(queue, name) == sorted(bodies)
        assert drain(queue, name) == []

    def test_equal_messages_are_all_delivered(self, queue: Queue, name: str) -> None:
        """A message is not known by its bytes."""
        queue.publish(name, [b"same"] * 3)
        assert drain(queue, name) == [b"same"] * 3

    def test_publishing_declares_the_queue(self, queue: Queue, name: str) -> None:
        """A publisher may come before any worker; nothing to publish declares it as well."""
        assert not queue.exists(name)
        queue.publish(name, [])
        assert queue.exists(name)
        assert drain(queue, name) == []

    def test_declaring_twice_is_harmless(
        self, queue: Queue, second_queue: Queue, name: str
    ) -> None:
        """Whoever comes first declares; messages should stay, and other queues be unknown."""
        queue.declare([name, f"{name}-2"])
        queue.publish(name, [b"a"])
        second_queue.declare([name])
        queue.declare([])
        assert second_queue.exists(name)
        assert queue.exists(f"{name}-2")
        assert not queue.exists(f"{name}-3")
        assert drain(second_queue, name) == [b"a"]

    def test_queues_are_apart(self, queue: Queue, name: str) -> None:
        """A message should be in the queue that it was published to and in no other."""
        queue.declare([f"{name}-2"])
        queue.publish(name, [b"a"])
        assert drain(queue, f"{name}-2") == []
        assert drain(queue, name) == [b"a"]

    def test_an_acknowledged_message_never_comes_back(
        self, queue: Queue, second_queue: Queue, name: str
    ) -> None:
        """Only the messages that were not acknowledged should be given again."""
        queue.publish(name, [b"a", b"b", b"c"])
        with queue.consume(name) as consumer:
            messages = take_all(consumer)
            consumer.acknowledge([m for m in messages if m.body != b"b"])
            consumer.acknowledge([])
        assert drain(second_queue, name) == [b"b"]

    def test_leaving_a_consumer_gives_its_messages_back(
        self, queue: Queue, second_queue: Queue, name: str
    ) -> None:
        """Held messages should be there for the next consumer at once."""
        queue.publish(name, [b"a", b"b"])
        with queue.consume(name) as consumer:
            assert len(take_all(consumer)) == 2
        assert drain(second_queue, name) == [b"a", b"b"]

    def test_an_exception_in_a_consumer_gives_its_messages_back(
        self, queue: Queue, name: str
    ) -> None:
        """The exception should come through and cost no message."""
        queue.publish(name, [b"a"])

        def fail() -> None:
            with queue.consume(name) as consumer:
                assert consumer.take() is not None
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert drain(queue, name) == [b"a"]

    def test_a_held_message_is_given_to_nobody_else(
        self, queue: Queue, second_queue: Queue, name: str
    ) -> None:
        """Two consumers, of one client or of two, should hold different messages."""
        queue.publish(name, [b"a"])
        with (
            queue.consume(name) as one,
            queue.consume(name) as two,
            second_queue.consume(name) as three,
        ):
            message = one.take()
            assert message is not None
            assert two.take() is None
            assert three.take() is None
            one.acknowledge([message])

    def test_a_message_that_comes_later_is_taken(
        self, queue: Queue, second_queue: Queue, name: str
    ) -> None:
        """A consumer that found the queue empty should find what is published then."""
        queue.declare([name])
        with queue.consume(name) as consumer:
            assert consumer.take() is None
            second_queue.publish(name, [b"a"])
            wait_until(lambda: bool(take_all(consumer)), timeout_seconds=WITHIN_SECONDS)

    def test_depth_counts_what_waits(self, queue: Queue, second_queue: Queue, name: str) -> None:
        """Messages that a consumer holds should not be counted until it gives them back."""
        queue.publish(name, [b"a", b"b", b"c"])
        has_depth(second_queue, name, 3)
        with queue.consume(name) as consumer:
            message = consumer.take()
            assert message is not None
            consumer.acknowledge([message])
            assert len(take_all(consumer)) == 2
            has_depth(second_queue, name, 0)
        has_depth(second_queue, name, 2)

    def test_a_look_leaves_the_messages_where_they_are(
        self, queue: Queue, second_queue: Queue, name: str
    ) -> None:
        """It ends with what was looked for, and meanwhile takes no more than it shows."""
        bodies = [b"%03d" % number for number in range(100)]
        queue.publish(name, bodies)
        has_depth(queue, name, 100)
        seen: list[bytes] = []

        def find_third(body: bytes) -> str | None:
            seen.append(body)
            if len(seen) < 3:
                return None
            return f"the third, {second_queue.depth(name)} wait"

        found = queue.look(name, find_third, most=10)
        assert found in ("the third, 97 wait", "the third, 100 wait")
        assert seen == bodies[:3]
        assert queue.look(name, seen.append, most=10) is None
        assert seen == bodies[:3] + bodies[:10]
        has_depth(second_queue, name, 100)
        assert drain(second_queue, name) == bodies

    def test_a_look_at_an_empty_queue_finds_nothing(self, queue: Queue, name: str) -> None:
        """There is nothing to show."""
        queue.declare([name])
        assert queue.look(name, lambda body: body, most=10) is None

    def test_a_message_of_5_megabytes_is_delivered(self, queue: Queue, name: str) -> None:
        """Batches are large."""
        body = bytes(range(256)) * 20_000
        queue.publish(name, [body])
        assert drain(queue, name) == [body]

    def test_a_thousand_messages_are_delivered(self, queue: Queue, name: str) -> None:
        """All should be delivered once, though a consumer takes some of them only."""
        bodies = sorted(f"message {number}".encode() for number in range(1_000))
        queue.publish(name, bodies)
        got: list[bytes] = []

        def is_all_delivered() -> bool:
            with queue.consume(name) as consumer:
                messages = take_all(consumer, limit=300)
                consumer.acknowledge(messages)
            got.extend(message.body for message in messages)
            return len(got) >= len(bodies)

        wait_until(is_all_delivered, timeout_seconds=WITHIN_SECONDS)
        assert sorted(got) == bodies

    def test_many_consumers_take_disjoint_messages(
        self, queue: Queue, second_queue: Queue, name: str
    ) -> None:
        """Threads of two clients should share the messages out, each to exactly one."""
        bodies = sorted(f"message {number}".encode() for number in range(200))
        queue.publish(name, bodies)
        barrier = Barrier(6)

        def work(number: int) -> list[Message]:
            with (queue, second_queue)[number % 2].consume(name) as consumer:
                barrier.wait()
                messages = take_all(consumer)
                consumer.acknowledge(messages)
                return messages

        with ThreadPoolExecutor(6) as pool:
            taken = [message.body for messages in pool.map(work, range(6)) for message in messages]
        assert sorted(taken) == bodies

    def test_threads_publish_at_the_same_time(self, queue: Queue, name: str) -> None:
        """Every message of every thread should be in the queue."""

        def publish(number: int) -> None:
            for part in range(5):
                queue.publish(name, [f"{number} {part} {n}".encode() for n in range(5)])

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(publish, range(6)))
        assert len(set(drain(queue, name))) == 150

    def test_a_killed_consumer_gives_its_messages_back(
        self, queue: Queue, queue_url: str, name: str
    ) -> None:
        """What a process held when it was killed should be delivered to the next consumer."""
        queue.publish(name, [b"a", b"b", b"c"])
        with other_process("hold", queue_url, name) as process:
            process.kill()
            process.wait()
        got: list[bytes] = []

        def is_all_delivered() -> bool:
            got.extend(drain(queue, name))
            return len(got) >= 3

        wait_until(is_all_delivered, timeout_seconds=WITHIN_SECONDS)
        assert sorted(got) == [b"a", b"b", b"c"]

    def test_a_message_tells_how_often_it_came_back_from_the_dead(
        self, queue: Queue, queue_url: str, name: str
    ) -> None:
        """So that one which kills its holders can be known."""
        queue.publish(name, [b"a", b"b", b"c"])
        with queue.consume(name) as consumer:
            first = consumer.take()
            assert first is not None
            assert first.returned == 0
        for deaths in (1, 2):
            with other_process("hold", queue_url, name) as process:
                process.kill()
                process.wait()
            has_depth(queue, name, 3)
            with queue.consume(name) as consumer:
                message = consumer.take()
                assert message is not None
                assert message.returned >= deaths

    def test_what_a_killed_process_published_is_in_the_queue(
        self, queue: Queue, queue_url: str, name: str
    ) -> None:
        """From the return of `publish` a message should not depend on its publisher."""
        with other_process("publish", queue_url, name) as process:
            process.kill()
            process.wait()
        assert drain(queue, name) == [b"1", b"2", b"3"]

    def test_a_queue_works_on_both_sides_of_a_fork(
        self, queue: Queue, queue_url: str, name: str
    ) -> None:
        """Parent and child should go on publishing with a queue that the parent has used."""
        with other_process("fork", queue_url, name) as process:
            assert process.wait(WITHIN_SECONDS) == 0
        assert drain(queue, name) == [b"after", b"before", b"child", b"parent"]

    def test_a_healthy_queue_says_so_in_one_line(self, queue: Queue) -> None:
        """The line should be for people."""
        line = queue.check()
        assert line
        assert "\n" not in line

    def test_a_closed_queue_may_be_used_again(self, queue: Queue, name: str) -> None:
        """Closing should let go of connections, not of messages; twice is harmless."""
        queue.publish(name, [b"a"])
        queue.close()
        queue.close()
        queue.publish(name, [b"b"])
        queue.close()
        assert drain(queue, name) == [b"a", b"b"]


def take_all(consumer: Consumer, limit: int = 10_000) -> list[Message]:
    """Return what a consumer can take, up to so many messages."""
    messages: list[Message] = []
    while len(messages) < limit and (message := consumer.take()):
        messages.append(message)
    return messages


def drain(queue: Queue, name: str) -> list[bytes]:
    """Take and acknowledge all messages of a queue; return their bodies sorted."""
    with queue.consume(name) as consumer:
        messages = take_all(consumer)
        consumer.acknowledge(messages)
    return sorted(message.body for message in messages)


def has_depth(queue: Queue, name: str, depth: int) -> None:
    """Wait until the queue says this depth; a broker counts a moment later."""
    wait_until(lambda: queue.depth(name) == depth, timeout_seconds=WITHIN_SECONDS)


@contextmanager
def other_process(what: str, url: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """Run a part of `other_process.py` and give the process when it says that it is ready."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", OTHER_PROCESS, what, url, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
