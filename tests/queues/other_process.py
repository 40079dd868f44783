"""Use a queue in a process of its own; run as a program by the contract, which may kill it."""

import os
import sys

from stats_pipeline.queues.opening import open_queue
from stats_pipeline.queues.protocol import Queue


def hold(queue: Queue, name: str) -> None:
    """Take three messages and hold them until somebody ends this process."""
    with queue.consume(name) as consumer:
        messages = [consumer.take() for _ in range(3)]
        if None not in messages:
            wait_for_the_end()


def publish(queue: Queue, name: str) -> None:
    """Publish three messages and wait until somebody ends this process."""
    queue.publish(name, [b"1", b"2"])
    queue.publish(name, [b"3"])
    wait_for_the_end()


def fork(queue: Queue, name: str) -> None:
    """Publish before a fork, on both sides of it, and after the child has ended."""
    queue.publish(name, [b"before"])
    child = os.fork()
    queue.publish(name, [b"parent" if child else b"child"])
    queue.close()
    if not child:
        return
    _, status = os.waitpid(child, 0)
    queue.publish(name, [b"after"])
    queue.close()
    say_ready()
    sys.exit(os.waitstatus_to_exitcode(status))


def say_ready() -> None:
    """Tell the test that it may go on."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def wait_for_the_end() -> None:
    """Tell the test that it may go on, and wait until it ends or kills this process."""
    say_ready()
    sys.stdin.read()


if __name__ == "__main__":
    {"hold": hold, "publish": publish, "fork": fork}[sys.argv[1]](
        open_queue(sys.argv[2]), sys.argv[3]
    )
