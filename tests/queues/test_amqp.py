"""The queue on RabbitMQ: the contract on a real broker, and what only a broker has."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from amqp.exceptions import PreconditionFailed
from kombu.connection import Connection

from scripts.services import start_rabbitmq
from scripts.services.server import free_ports, wait_until
from stats_pipeline.errors import MessageRefused, QueueRefused, QueueUnavailable
from stats_pipeline.queues.amqp import AmqpQueue
from stats_pipeline.queues.amqp import consumer as consumer_module
from stats_pipeline.queues.amqp.connections import MOST_IDLE
from stats_pipeline.queues.amqp.consumer import FIRST_HELD, HELD_BYTES, MOST_HELD
from stats_pipeline.queues.amqp.queue import LONGEST_QUEUE
from tests.queues.contract import WITHIN_SECONDS, QueueContract, drain, take_all
from tests.services import PrivateServer

#: More than the deliveries that RabbitMQ 4 allows by itself.
MANY_DELIVERIES = 30


@pytest.fixture
def queue(amqp_url: str, name: str) -> Iterator[AmqpQueue]:
    """Give a client; the queues of the test are deleted behind it."""
    queue = AmqpQueue(amqp_url)
    yield queue
    queue.close()
    for made in (name, f"{name}-2"):
        delete_queue(amqp_url, made)


@pytest.fixture
def second_queue(amqp_url: str) -> Iterator[AmqpQueue]:
    """Give another client of the same broker."""
    queue = AmqpQueue(amqp_url)
    yield queue
    queue.close()


@pytest.fixture
def queue_url(amqp_url: str) -> str:
    """Give the URL by which another process opens the same queues."""
    return amqp_url


def delete_queue(url: str, name: str) -> None:
    """Delete a queue as an operator would; one that is not there is deleted already."""
    with Connection(url) as connection, connection.channel() as channel:
        channel.queue_delete(name)


class TestAmqpQueue(QueueContract):
    """Keep the contract in a RabbitMQ broker."""


def test_a_queue_is_a_durable_quorum_queue(queue: AmqpQueue, amqp_url: str, name: str) -> None:
    """The broker should refuse the name to somebody who wants a classic queue."""
    queue.declare([name])
    arguments = {
        "x-queue-type": "classic",
        "x-max-length": LONGEST_QUEUE,
        "x-overflow": "reject-publish",
    }
    with Connection(amqp_url) as connection:
        channel = connection.channel()
        with pytest.raises(PreconditionFailed, match=r"x-queue-type.*quorum"):
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)


def test_a_message_may_come_back_any_number_of_times(queue: AmqpQueue, name: str) -> None:
    """Each killed worker counts as a delivery, and none of them should cost the message."""
    queue.publish(name, [b"a"])
    for _ in range(MANY_DELIVERIES):
        with queue.consume(name) as consumer:
            assert consumer.take() is not None
    assert drain(queue, name) == [b"a"]


def test_a_message_is_persistent(queue: AmqpQueue, amqp_url: str, name: str) -> None:
    """It should be on disk, where a restart of the broker finds it."""
    queue.publish(name, [b"a"])
    with Connection(amqp_url) as connection:
        message = connection.channel().basic_get(name, no_ack=True)
    assert message.properties["delivery_mode"] == 2


def test_a_full_queue_refuses_and_keeps_what_it_has(amqp_url: str, name: str) -> None:
    """Nothing should be dropped for what comes on top; its sender has to keep that."""
    queue = AmqpQueue(amqp_url, longest_queue=10)
    taken: list[bytes] = []

    def publish_some() -> None:
        # Some messages above the limit are taken while the queue tells its senders to stop.
        for number in range(100):
            queue.publish(name, [b"%d" % number])
            taken.append(b"%d" % number)

    with pytest.raises(QueueUnavailable, match=rf"{name}.* full"):
        publish_some()
    assert len(taken) >= 10
    assert set(drain(queue, name)) >= set(taken)
    queue.publish(name, [b"again"])
    assert drain(queue, name) == [b"again"]
    queue.close()
    delete_queue(amqp_url, name)


def test_other_arguments_are_refused_with_the_way_out(
    queue: AmqpQueue, amqp_url: str, name: str
) -> None:
    """A queue that was declared otherwise can't be changed; the error should say what to do."""
    queue.declare([name])
    other = AmqpQueue(amqp_url, longest_queue=10)
    with pytest.raises(QueueRefused, match=f"x-max-length.*{name}.*delete it"):
        other.publish(name, [b"a"])
    other.close()


def test_a_queue_that_was_deleted_is_declared_again(
    queue: AmqpQueue, amqp_url: str, name: str
) -> None:
    """Publishing should notice that nobody took the message, and declare as it promises."""
    queue.publish(name, [b"a"])
    delete_queue(amqp_url, name)
    queue.publish(name, [b"b", b""])
    assert drain(queue, name) == [b"", b"b"]


def test_a_deleted_queue_ends_its_consumers(queue: AmqpQueue, amqp_url: str, name: str) -> None:
    """A consumer should be told, and the client go on working."""
    queue.publish(name, [b"a"])
    with queue.consume(name) as consumer:
        message = consumer.take()
        assert message is not None
        delete_queue(amqp_url, name)
        with pytest.raises(QueueUnavailable):
            consumer.acknowledge([message])
    queue.publish(name, [b"b"])
    assert drain(queue, name) == [b"b"]


def test_connections_of_a_rush_are_not_kept(queue: AmqpQueue, name: str) -> None:
    """Many users at once have one each, and the broker is not left with all of them."""
    with ExitStack() as rush:
        for _ in range(MOST_IDLE + 2):
            rush.enter_context(queue.consume(name))
    assert len(queue._connections._idle) == MOST_IDLE
    queue.publish(name, [b"a"])


@pytest.mark.parametrize(
    ("size_bytes", "most"), [(10, MOST_HELD), (HELD_BYTES // 2 // FIRST_HELD + 1, FIRST_HELD)]
)
def test_a_consumer_holds_a_bounded_number_of_messages(
    queue: AmqpQueue, second_queue: AmqpQueue, name: str, size_bytes: int, most: int
) -> None:
    """Fewer large ones; the others are there for others, and come to it when it acknowledges."""
    queue.publish(name, [b"%0*d" % (size_bytes, number) for number in range(most + 10)])
    with queue.consume(name) as consumer:
        messages = take_all(consumer)
        assert len({message.body for message in messages}) == most
        assert second_queue.depth(name) == 10
        consumer.acknowledge(messages)
        assert len(take_all(consumer)) == 10


def test_many_large_messages_are_not_taken_for_none(queue: AmqpQueue, name: str) -> None:
    """The broker reads them from its disk, and answers meanwhile that none waits for anybody."""
    for _ in range(12):
        queue.publish(name, [bytes(1_000_000)] * 50)
    taken = 0
    with queue.consume(name) as consumer:
        while messages := take_all(consumer, limit=8):
            consumer.acknowledge(messages)
            taken += len(messages)
    assert taken == 600


@pytest.mark.timeout(60)
def test_an_emptied_queue_is_not_waited_for(
    queue: AmqpQueue, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrives while the broker is asked what waits is there, and not still on its way."""
    monkeypatch.setattr(consumer_module, "DELIVERY_SECONDS", 600)
    for _ in range(20):
        queue.publish(name, [b"one"])
        with queue.consume(name) as consumer:
            message = consumer.take()
            assert message is not None
            assert consumer.take() is None
            consumer.acknowledge([message])


def test_messages_outlive_a_restart_of_the_broker(private_rabbitmq: PrivateServer) -> None:
    """The same client should go on after it, publishing and consuming all that was confirmed."""
    queue = AmqpQueue(private_rabbitmq.url)
    queue.publish("things", [b"a", b"b"])
    private_rabbitmq.stop()
    with pytest.raises(QueueUnavailable):
        queue.publish("things", [b"lost"])
    private_rabbitmq.start()
    queue.publish("things", [b"c"])
    assert drain(queue, "things") == [b"a", b"b", b"c"]
    queue.close()


def test_acknowledging_to_a_dead_broker_is_an_error_and_the_messages_come_back(
    private_rabbitmq: PrivateServer,
) -> None:
    """A consumer whose connection is cut should know that its messages will be delivered again."""
    queue = AmqpQueue(private_rabbitmq.url)
    queue.publish("things", [b"a", b"b"])
    with queue.consume("things") as consumer:
        messages = take_all(consumer)
        private_rabbitmq.kill()
        with pytest.raises(QueueUnavailable):
            consumer.acknowledge(messages)
    private_rabbitmq.start()
    got: list[bytes] = []

    def is_all_delivered() -> bool:
        # A broker that comes back finds out a moment later that the consumer is gone.
        got.extend(drain(queue, "things"))
        return len(got) >= 2

    wait_until(is_all_delivered, timeout_seconds=WITHIN_SECONDS)
    assert sorted(got) == [b"a", b"b"]
    queue.close()


def test_a_message_that_is_too_large_for_the_broker_is_refused(tmp_path: Path) -> None:
    """With the setting to raise; smaller ones are taken as before."""
    server = start_rabbitmq(tmp_path, configuration="max_message_size = 1000")
    queue = AmqpQueue(server.url)
    with pytest.raises(MessageRefused, match="max_message_size"):
        queue.publish("things", [b"a", bytes(2_000), b"b"])
    queue.publish("things", [b"c"])
    assert b"c" in drain(queue, "things")
    queue.close()
    server.kill()


@pytest.mark.slow
def test_a_broker_that_does_not_answer_is_given_up(private_rabbitmq: PrivateServer) -> None:
    """A broker that hangs should stop nobody for ever."""
    queue = AmqpQueue(private_rabbitmq.url)
    queue.publish("things", [b"a"])
    private_rabbitmq.freeze()
    with pytest.raises(QueueUnavailable, match="no answer in time"):
        queue.publish("things", [b"b"])
    with pytest.raises(QueueUnavailable, match="no answer in time"):
        queue.depth("things")
    private_rabbitmq.thaw()
    queue.publish("things", [b"c"])
    assert set(drain(queue, "things")) >= {b"a", b"c"}
    queue.close()


def test_no_broker_is_unavailable() -> None:
    """A broker that is not there should be said so in one line, without the password."""
    (port,) = free_ports(1)
    queue = AmqpQueue(f"amqp://guest:s3cret@127.0.0.1:{port}//")
    with pytest.raises(QueueUnavailable, match=r"Connection refused.*is it running") as raised:
        queue.publish("things", [b"a"])
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_wrong_password_is_refused(amqp_url: str) -> None:
    """An operator should have to act, and not read the password in a log."""
    queue = AmqpQueue(amqp_url.replace("guest:guest", "guest:s3cret"))
    with pytest.raises(QueueRefused, match="check the user, the password") as raised:
        queue.check()
    assert "s3cret" not in str(raised.value)


def test_an_unknown_virtual_host_is_refused(amqp_url: str) -> None:
    """The error should name the virtual host."""
    with pytest.raises(QueueRefused, match=r"no-such-host.*virtual host"):
        AmqpQueue(f"{amqp_url.rstrip('/')}/no-such-host").check()


def test_a_broker_without_tls_is_refused_by_amqps(amqp_url: str) -> None:
    """A wrong scheme, like a wrong certificate, is an operator's matter."""
    with pytest.raises(QueueRefused, match="certificate"):
        AmqpQueue(amqp_url.replace("amqp:", "amqps:")).check()
