"""Errors of Elasticsearch: what a locked-down, a busy or a wrong server is told apart by.

The answers of servers that can't be had here (with users, behind a proxy, overloaded) come from a
small HTTP server; they have the form that Elasticsearch and nginx give them.
"""

import json
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from scripts.services.server import free_ports
from stats_pipeline.errors import (
    PartialResult,
    StoreError,
    StoreRefused,
    StoreUnanswered,
    StoreUnavailable,
)
from stats_pipeline.model import Filter
from stats_pipeline.stores.elasticsearch import ElasticsearchStore
from stats_pipeline.stores.elasticsearch.errors import item_verdict
from stats_pipeline.stores.protocol import Put, Verdict
from stats_pipeline.templates import IndexTemplate

PASSWORD = "s3cret"

#: Path and body of a request -> status and answer: a value of JSON, or bytes as from a proxy.
Answer = Callable[[str, bytes], tuple[int, Any]]
Serve = Callable[[Answer], ElasticsearchStore]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Give a function that starts a server with these answers and returns a store that asks it."""
    servers: list[tuple[HTTPServer, Thread, ElasticsearchStore]] = []

    def start(answer: Answer) -> ElasticsearchStore:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers["content-length"] or 0))
                status, body = answer(self.path, asked)
                self.send_response(status)
                if isinstance(body, bytes):
                    self.send_header("content-type", "text/html")
                else:
                    body = json.dumps(body).encode()
                    self.send_header("content-type", "application/json")
                    self.send_header("X-Elastic-Product", "Elasticsearch")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"http://user:{PASSWORD}@127.0.0.1:{server.server_port}"
        store = ElasticsearchStore(url)
        servers.append((server, thread, store))
        return store

    yield start
    for server, thread, store in servers:
        store.close()
        server.shutdown()
        thread.join()
        server.server_close()


def error_answer(status: int, kind: str, reason: str = "because") -> Answer:
    """Return what gives Elasticsearch's answer with an error of this type."""
    cause = {"type": kind, "reason": reason}
    return lambda *_: (status, {"error": {**cause, "root_cause": [cause]}, "status": status})


REFUSED = [
    (401, "security_exception"),
    (403, "security_exception"),
    (403, "cluster_block_exception"),
    (429, "cluster_block_exception"),
    (400, "illegal_argument_exception"),
    (404, "index_not_found_exception"),
]
UNAVAILABLE = [
    (429, "es_rejected_execution_exception"),
    (429, "circuit_breaking_exception"),
    (503, "cluster_block_exception"),
    (503, "master_not_discovered_exception"),
    (503, "process_cluster_event_timeout_exception"),
    (500, "node_closed_exception"),
    (504, "timeout_exception"),
]


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        *((status, kind, StoreRefused) for status, kind in REFUSED),
        *((status, kind, StoreUnavailable) for status, kind in UNAVAILABLE),
        (503, "search_phase_execution_exception", PartialResult),
    ],
)
def test_an_error_says_who_can_do_something(
    serve: Serve, status: int, kind: str, expected: type[StoreError]
) -> None:
    """Its type should tell whether to wait or to call an operator; its line hides the password."""
    store = serve(error_answer(status, kind, "the\nreason"))
    with pytest.raises(expected) as raised:
        store.check()
    message = str(raised.value)
    assert "the reason" in message
    assert "\n" not in message
    assert "http://user:***@127.0.0.1" in message
    assert PASSWORD not in message


def test_the_last_cause_is_a_part_of_the_reason(serve: Serve) -> None:
    """Of a template, the first one only says that something in it is wrong."""
    last = {"type": "mapper_parsing_exception", "reason": "unknown parameter [x]"}
    cause = {"type": "illegal_argument_exception", "reason": "invalid template"}
    error: dict[str, Any] = {**cause, "root_cause": [cause]}
    error["caused_by"] = {**cause, "caused_by": last}
    store = serve(lambda *_: (400, {"error": error, "status": 400}))
    with pytest.raises(StoreRefused, match=r"\(400, invalid template: unknown parameter \[x\]\)"):
        store.check()


def test_a_proxy_without_a_server_behind_it_is_unavailable(serve: Serve) -> None:
    """An answer that is not Elasticsearch's own should do for waiting."""
    store = serve(lambda *_: (502, b"<html>Bad Gateway</html>"))
    with pytest.raises(StoreUnavailable, match="502"):
        store.check()


def test_another_server_is_refused(serve: Serve) -> None:
    """A wrong address should be said to be wrong."""
    store = serve(lambda *_: (200, b'{"hello": "world"}'))
    with pytest.raises(StoreRefused, match="check the address"):
        store.check()


def test_no_server_is_unavailable() -> None:
    """A server that is not there should be said so in one line, with what to try."""
    (port,) = free_ports(1)
    store = ElasticsearchStore(f"http://user:{PASSWORD}@127.0.0.1:{port}")
    with pytest.raises(StoreUnavailable, match=r"Connection refused.*is it running") as raised:
        store.check()
    assert PASSWORD not in str(raised.value)
    assert not isinstance(raised.value, StoreUnanswered)
    store.close()


def test_a_connection_that_is_cut_leaves_open_whether_it_was_done() -> None:
    """The server was asked: unlike one that is not there it may have done it, or may yet."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def cut() -> None:
            connection, _ = server.accept()
            connection.recv(100)
            connection.close()

        thread = Thread(target=cut)
        thread.start()
        store = ElasticsearchStore(f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(StoreUnanswered, match="does not answer"):
            store.check()
        thread.join()
    store.close()


def test_a_server_without_tls_is_refused_by_https(elasticsearch_url: str) -> None:
    """A wrong scheme, like a wrong certificate, is an operator's matter."""
    store = ElasticsearchStore(elasticsearch_url.replace("http:", "https:"))
    with pytest.raises(StoreRefused, match="certificate"):
        store.check()
    store.close()


def test_a_request_that_is_too_large_is_cut_in_halves(serve: Serve) -> None:
    """Behind a proxy with a low limit all but the single too large document should be stored."""

    def answer(_: str, body: bytes) -> tuple[int, Any]:
        if len(body) > 300:
            return 413, b"Request Entity Too Large"
        return 200, {"items": [{"index": {"status": 201}}] * (body.count(b"\n") // 2)}

    operations = [Put("i", str(n), {"note": "x" * (400 if n == 5 else 50)}) for n in range(9)]
    results = serve(answer).bulk(operations)
    expected = [Verdict.NEVER if n == 5 else Verdict.DONE for n in range(9)]
    assert [result.verdict for result in results] == expected


def test_a_bulk_that_an_overloaded_cluster_refuses_may_be_sent_again(serve: Serve) -> None:
    """A rejected request should be a verdict on each of its items."""
    results = serve(error_answer(429, "es_rejected_execution_exception")).bulk(
        [Put("i", "a", {}), Put("i", "b", {})]
    )
    assert [result.verdict for result in results] == [Verdict.RETRY] * 2


@pytest.mark.parametrize("part", [{"timed_out": True}, {"_shards": {"failed": 1, "total": 2}}])
def test_a_part_of_an_answer_is_no_answer(serve: Serve, part: dict[str, Any]) -> None:
    """Where a shard failed or time ran out, nothing should be computed."""
    search = {"pit_id": "p", "timed_out": False, "_shards": {"failed": 0, "total": 2}} | part
    answers: dict[str, Any] = {
        "_alias": {"i": {"aliases": {}}},
        "_pit": {"id": "p"},
        "_field_caps": {"fields": {}},
        "_search": search | {"hits": {"hits": [], "total": {"value": 1}}},
    }
    store = serve(lambda path, _: (200, answers[path.split("?")[0].split("/")[-1]]))
    with store.snapshot(["i"]) as snapshot, pytest.raises(PartialResult, match="only a part"):
        snapshot.count(Filter())


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (409, "version_conflict_engine_exception", Verdict.DUPLICATE),
        (400, "document_parsing_exception", Verdict.NEVER),
        (400, "mapper_parsing_exception", Verdict.NEVER),
        (400, "strict_dynamic_mapping_exception", Verdict.NEVER),
        (400, "illegal_argument_exception", Verdict.NEVER),
        (400, "something_new_exception", Verdict.NEVER),
        (429, "es_rejected_execution_exception", Verdict.RETRY),
        (429, "circuit_breaking_exception", Verdict.RETRY),
        (503, "unavailable_shards_exception", Verdict.RETRY),
        (503, "no_shard_available_action_exception", Verdict.RETRY),
        (503, "process_cluster_event_timeout_exception", Verdict.RETRY),
        (500, "node_closed_exception", Verdict.RETRY),
        (500, "something_new_exception", Verdict.RETRY),
        (404, "index_not_found_exception", Verdict.FAULT),
        (400, "index_closed_exception", Verdict.FAULT),
        (403, "cluster_block_exception", Verdict.FAULT),
        (429, "cluster_block_exception", Verdict.FAULT),
        (403, "security_exception", Verdict.FAULT),
        (401, "security_exception", Verdict.FAULT),
    ],
)
def test_the_verdict_goes_by_the_type_of_the_error(
    status: int, kind: str, verdict: Verdict
) -> None:
    """Statuses alone mean different things."""
    assert item_verdict(status, {"type": kind, "reason": "because"}) is verdict


def test_what_a_reason_says_decides_nothing() -> None:
    """It quotes values of events: a stranger's text must not look like a fault of the operator."""
    reason = "failed to parse field [n]. Preview of field's value: 'maximum shards [1000]/[1000]'"
    error = {"type": "document_parsing_exception", "reason": reason}
    assert item_verdict(400, error) is Verdict.NEVER


def test_the_shard_limit_is_a_fault_of_the_operator(serve: Serve) -> None:
    """It is met where an index is made, under a type that broken requests have, too."""
    reason = "this action would add [2] shards, but this cluster has [1000]/[1000] maximum shards"
    body = {"error": {"type": "validation_exception", "reason": reason}, "status": 400}
    store = serve(lambda *_: (400, body))
    with pytest.raises(StoreRefused, match="maximum shards"):
        store.create_index("i", IndexTemplate("a", {}, {}, {}), aliased=False)
