"""Connections to RabbitMQ: lent to one user at a time, and dropped after an error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from amqp.exceptions import AMQPError
from kombu.connection import Connection

from stats_pipeline.queues.amqp.confirms import ConfirmedChannel
from stats_pipeline.queues.amqp.errors import translated
from stats_pipeline.urls import without_password

#: Until a broker that is not there is given up.
CONNECT_SECONDS = 5

#: Until a broker that does not answer a command is given up.
ANSWER_SECONDS = 15

#: Until one that confirms no message is given up; what it has taken nevertheless comes twice, which
#: is harmless.
CONFIRM_SECONDS = 5

#: Connections that are kept while nobody uses them. Hundreds of greenlets may publish at once.
MOST_IDLE = 20


class Link:
    """Be one open connection, with what is known about the broker behind it.

    Without heartbeats, which somebody would have to send while a bulk is being written. So what a
    vanished machine held comes back when the broker writes to it and has no answer: after its
    `consumer_timeout` (half an hour), and the kernel's patience.

    Attributes:
        amqp: the connection of py-amqp.
        broker_version: as (3, 10, 8).
        declared: names of the queues that were declared on it.
    """

    def __init__(self, url: str) -> None:
        connection = Connection(
            url,
            connect_timeout=CONNECT_SECONDS,
            heartbeat=0,
            # None stands for the host of the URL; without it, any host's certificate would do.
            ssl={"server_hostname": None} if url.startswith("amqps:") else False,
        )
        # One try: the caller knows better when to try again.
        connection.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0, reraise_as_library_errors=False
        )
        # From here on without kombu, which would connect again behind our back.
        self.amqp: Any = connection.connection
        # Commands of py-amqp wait for ever otherwise.
        self.amqp.transport.sock.settimeout(ANSWER_SECONDS)
        version = str(self.amqp.server_properties.get("version", ""))
        self.broker_version = tuple(int(part) for part in version.split(".") if part.isdigit())
        self.declared: set[str] = set()

    @cached_property
    def confirmed_channel(self) -> ConfirmedChannel:
        """Return this connection's channel for publishing, opened on first use."""
        return ConfirmedChannel(self.channel(), timeout_seconds=CONFIRM_SECONDS)

    def channel(self) -> Any:
        """Open a channel of its own."""
        return self.amqp.channel()

    def is_alive(self) -> bool:
        """Tell whether the broker has not closed it meanwhile."""
        try:
            while True:
                self.amqp.drain_events(timeout=0)
        except TimeoutError:
            return True  # Nothing to read, not even an end.
        except (AMQPError, OSError):
            return False

    def close(self) -> None:
        """Close it properly."""
        with suppress(AMQPError, OSError):
            self.amqp.close()

    def drop(self) -> None:
        """Close its socket, without a word to a broker that may not listen."""
        self.amqp.collect()


class Connections:
    """Lend connections to one broker; safe for threads, and a child process opens its own."""

    def __init__(self, url: str) -> None:
        self.server = without_password(url)
        self._url = url
        self._idle: list[Link] = []
        self._process = os.getpid()

    @contextmanager
    def lend(self) -> Iterator[Link]:
        """Lend a connection to code that does nothing else; its errors leave as `QueueError`."""
        link = self.take()
        try:
            with translated(self.server):
                yield link
        except BaseException:
            # Its channels are in no known state.
            link.drop()
            raise
        self.give_back(link)

    def take(self) -> Link:
        """Return a connection that nobody else uses, until `give_back` or its `drop`."""
        self._forget_parent()
        while True:
            try:
                link = self._idle.pop()
            except IndexError:
                break
            if link.is_alive():
                return link
            link.drop()
        with translated(self.server):
            return Link(self._url)

    def give_back(self, link: Link) -> None:
        """Keep the connection for the next one who needs one, unless there are plenty."""
        if len(self._idle) < MOST_IDLE:
            self._idle.append(link)
        else:
            link.close()

    def close(self) -> None:
        """Close the connections that nobody uses now."""
        self._forget_parent()
        while self._idle:
            self._idle.pop().close()

    def _forget_parent(self) -> None:
        # After a fork the sockets are shared with the parent: closing them properly would cut its
        # connections, so they are only let go of.
        if self._process != os.getpid():
            self._idle, self._process = [], os.getpid()
