"""A gate before the broker: a TCP proxy that can be shut, fall silent, or cut its connections."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from math import inf
from select import select
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

CHUNK_BYTES = 65_536
POLL_SECONDS = 0.05


class Gate:
    """Be the gate, at `url`, of the broker at another one; open at first."""

    def __init__(self, broker_url: str) -> None:
        parts = urlsplit(broker_url)
        self._broker = parts.hostname or "127.0.0.1", parts.port or 5672
        self._address = "127.0.0.1", 0
        self._speaks = threading.Event()
        self._answers_left = inf
        self._to_lose = b""
        self._sockets: list[socket.socket] = []
        self._listen()
        self._speaks.set()
        self.url = broker_url.replace(f":{self._broker[1]}", f":{self._address[1]}")

    def shut(self) -> None:
        """Refuse connections, and cut those that are there."""
        self._server.shutdown()
        self._cut()
        self._server.server_close()

    def open(self) -> None:
        """Let everything through, after `shut` or `fall_silent`."""
        if self._server.socket.fileno() == -1:
            self._listen()
        self._speaks.set()

    def fall_silent(self) -> None:
        """Take connections and bytes, and answer nothing; nothing is lost, only late."""
        self._speaks.clear()

    def cut_after(self, answers: float) -> None:
        """Cut the connection that brings the broker's answer after so many others, once.

        That answer never arrives, though the broker has done what it speaks of.
        """
        self._answers_left = answers

    def lose(self, part: bytes) -> None:
        """Cut the connection on which a client writes something with this in it, once.

        The broker never has what was written, though its sender's system has taken all of it.
        """
        self._to_lose = part

    @property
    def has_lost(self) -> bool:
        """Tell whether what `lose` waits for has come."""
        return not self._to_lose

    def close(self) -> None:
        """End it."""
        self._speaks.set()
        self.shut()

    def _listen(self) -> None:
        self._server = _Server(self._address, self._handler())
        self._address = "127.0.0.1", self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,)).start()

    def _cut(self) -> None:
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _handler(self) -> type[BaseRequestHandler]:
        gate = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), socket.create_connection(gate._broker) as broker:
                    gate._sockets += [self.request, broker]
                    gate._carry(self.request, broker)

        return Handler

    def _carry(self, client: socket.socket, broker: socket.socket) -> None:
        """Carry bytes both ways until one side has ended."""
        while True:
            for source in select([client, broker], [], [])[0]:
                data = source.recv(CHUNK_BYTES)
                if not data or (source is broker and self._is_to_be_cut()):
                    return
                if source is client and self._to_lose and self._to_lose in data:
                    self._to_lose = b""
                    return
                self._speaks.wait()
                (broker if source is client else client).sendall(data)

    def _is_to_be_cut(self) -> bool:
        self._answers_left -= 1
        if self._answers_left >= 0:
            return False
        self._answers_left = inf
        return True


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
