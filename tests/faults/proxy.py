"""An HTTP proxy before the store, which does to each request what a test has chosen.

An action is a function of an `Exchange`, one request and its answer to be. `passed` is what happens
where the test chooses nothing.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

UPSTREAM_SECONDS = 60

#: Headers that belong to one connection, or that are said anew.
OWN_HEADERS = {"connection", "content-length", "transfer-encoding", "host"}

#: What Elasticsearch says with these statuses.
REASONS = {429: "es_rejected_execution_exception", 503: "master_not_discovered_exception"}


@dataclass(frozen=True)
class Request:
    """Be a request: method, path with its query, headers and body."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def is_bulk(self) -> bool:
        """Tell whether it writes many documents."""
        return self.path.startswith("/_bulk")

    def writes_to(self, part: str) -> bool:
        """Tell whether it is a bulk whose first operation is for an index with this in its name."""
        if not self.is_bulk:
            return False
        (operation,) = json.loads(self.body.split(b"\n", 1)[0]).values()
        return part in operation["_index"]


@dataclass(frozen=True)
class Answer:
    """Be an answer: status, headers and body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass
class Exchange:
    """Be one request at the proxy, and the ways to answer it."""

    request: Request
    _upstream: str
    _handler: BaseHTTPRequestHandler = field(repr=False)

    def forward(self, body: bytes | None = None) -> Answer:
        """Let the store do the request (with another body), and return what it answered."""
        parts = urlsplit(self._upstream)
        connection = HTTPConnection(parts.netloc, timeout=UPSTREAM_SECONDS)
        try:
            request = self.request
            headers = {k: v for k, v in request.headers if k.lower() not in OWN_HEADERS}
            sent = request.body if body is None else body
            connection.request(request.method, request.path, sent, headers)
            answer = connection.getresponse()
            return Answer(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def send(self, answer: Answer, *, bytes_of_body: int | None = None) -> None:
        """Give the answer; or only so many bytes of its body, and then close the connection."""
        handler = self._handler
        handler.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in OWN_HEADERS:
                handler.send_header(name, value)
        handler.send_header("content-length", str(len(answer.body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(answer.body[:bytes_of_body])
        if bytes_of_body is not None:
            self.cut()

    def cut(self) -> None:
        """Close the connection."""
        self._handler.close_connection = True
        self._handler.connection.shutdown(socket.SHUT_RDWR)


Action = Callable[[Exchange], None]
Choose = Callable[[Request], Action]


def passed(exchange: Exchange) -> None:
    """Let the request through, and the answer back."""
    exchange.send(exchange.forward())


def dropped(exchange: Exchange) -> None:
    """Close the connection; the store never hears of the request."""
    exchange.cut()


def cut_after(bytes_of_body: int) -> Action:
    """Let the store do the request, and close the connection in the middle of its answer."""

    def act(exchange: Exchange) -> None:
        exchange.send(exchange.forward(), bytes_of_body=bytes_of_body)

    return act


def refused_with(status: int) -> Action:
    """Answer as an Elasticsearch does that is overloaded (429) or without a master (503)."""

    def act(exchange: Exchange) -> None:
        exchange.send(_json_answer(status, {"error": _error(status), "status": status}))

    return act


def timed_out(exchange: Exchange) -> None:
    """Answer as a gateway before the store that has waited long enough (504)."""
    html = (("content-type", "text/html"),)
    exchange.send(Answer(504, html, b"<html>Gateway Time-out</html>"))


def items_refused_with(status: int, *, every: int) -> Action:
    """Let a bulk through without every n-th of its operations, whose items have this status."""

    def act(exchange: Exchange) -> None:
        operations = _operations(exchange.request.body)
        taken = [lines for n, lines in enumerate(operations) if n % every]
        done: list[Any] = []
        if taken:
            answer = exchange.forward(b"".join(line + b"\n" for lines in taken for line in lines))
            done = json.loads(answer.body)["items"]
        refused = {"_index": "i", "status": status, "error": _error(status)}
        rest = iter(done)
        items = [next(rest) if n % every else {"index": refused} for n in range(len(operations))]
        exchange.send(_json_answer(200, {"took": 1, "errors": True, "items": items}))

    return act


class Held:
    """Hold requests back: the client is told at once, the store gets them with `let_go`.

    Args:
        tell: what the client sees; by default the end of its connection.
    """

    def __init__(self, tell: Action = dropped) -> None:
        self._tell = tell
        self._exchanges: list[Exchange] = []

    def __call__(self, exchange: Exchange) -> None:
        """Keep the request."""
        self._exchanges.append(exchange)
        self._tell(exchange)

    def let_go(self) -> list[int]:
        """Let the store do what was held back; return the statuses of its answers."""
        answers = [exchange.forward() for exchange in self._exchanges]
        self._exchanges = []
        return [answer.status for answer in answers]


class Paused:
    """Keep the sender of one request waiting until a test lets it go on.

    Args:
        is_done_first: whether the store does the request before the wait, or behind it.

    Attributes:
        arrived: set when the request is here.
        go_on: to be set by the test.
    """

    def __init__(self, *, is_done_first: bool) -> None:
        self._is_done_first = is_done_first
        self.arrived = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        """Let the request through, and the answer back, with a wait between the two or before."""
        answer = exchange.forward() if self._is_done_first else None
        self.arrived.set()
        self.go_on.wait()
        exchange.send(answer or exchange.forward())


def each_time(matches: Callable[[Request], bool], actions: Iterable[Action]) -> Choose:
    """Choose these actions one after the other for the requests that match; then let them pass."""
    remaining = iter(actions)
    lock = threading.Lock()

    def choose(request: Request) -> Action:
        if not matches(request):
            return passed
        with lock:
            return next(remaining, passed)

    return choose


class StoreProxy:
    """Be the proxy, at `url`, of the store at `upstream`.

    Attributes:
        choose: request -> action; a test sets it at any time.
        requests: what has come until now, in order.
    """

    def __init__(self, upstream: str) -> None:
        self.choose: Choose = lambda _: passed
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self, upstream))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the address that clients use instead of the store's."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler_of(proxy: StoreProxy, upstream: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Without it each answer waits for the client's acknowledgement of its headers.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length)
            request = Request(self.command, self.path, tuple(self.headers.items()), body)
            proxy.requests.append(request)
            proxy.choose(request)(Exchange(request, upstream, self))

        do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    return Handler


def _operations(body: bytes) -> list[Sequence[bytes]]:
    """Return the operations of a bulk, each as its one or two lines."""
    lines = iter(body.splitlines())
    return [(line,) if b'"delete"' in line[:10] else (line, next(lines)) for line in lines]


def _error(status: int) -> dict[str, Any]:
    cause = {"type": REASONS[status], "reason": "the proxy of a test says so"}
    return {**cause, "root_cause": [cause]}


def _json_answer(status: int, body: Any) -> Answer:
    headers = (("content-type", "application/json"), ("X-Elastic-Product", "Elasticsearch"))
    return Answer(status, headers, json.dumps(body).encode())
