"""Bulk writes: requests of a bounded size, and a verdict on each operation."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from elasticsearch import ApiError

from stats_pipeline.stores.elasticsearch.client import Client
from stats_pipeline.stores.elasticsearch.errors import item_verdict
from stats_pipeline.stores.protocol import Delete, ItemResult, Operation, Put, Verdict

#: Of one request. Servers take 100 MB, proxies before them often less than 10.
REQUEST_BYTES = 5_000_000
REQUEST_OPERATIONS = 1_000

#: Elasticsearch refuses a whole request for one longer id; counted in UTF-8 bytes.
LONGEST_ID_BYTES = 512

#: For about 0.2 s Elasticsearch knows the version of what was deleted, and takes no lower one for
#: new. Twice that and more, for clusters that set another `thread_pool.estimated_time_interval`.
FORGETTING_SECONDS = (0.3, 0.6, 1.2)

TOO_LARGE = 413
TOO_BUSY = 429


def write(client: Client, operations: Sequence[Operation]) -> list[ItemResult]:
    """Do the operations in order and return a verdict on each (see `Store.bulk`)."""
    results: dict[int, ItemResult] = {}
    encoded: dict[int, bytes] = {}
    for position, operation in enumerate(operations):
        try:
            encoded[position] = _encode(operation)
        except (TypeError, ValueError) as error:
            results[position] = ItemResult(Verdict.NEVER, f"can't be sent: {error}")
    results.update(zip(encoded, send(client, list(encoded.values())), strict=True))
    for wait_seconds in FORGETTING_SECONDS:
        refused = [n for n, result in results.items() if result.verdict is Verdict.DUPLICATE]
        deleted = _deleted(client, operations, refused)
        if not deleted:
            break
        time.sleep(wait_seconds)
        again = send(client, [encoded[position] for position in deleted])
        results.update(zip(deleted, again, strict=True))
    return [results[position] for position in range(len(operations))]


def send(client: Client, encoded: Sequence[bytes]) -> list[ItemResult]:
    """Send encoded operations, in as many requests as it needs, and return a verdict on each."""
    results: list[ItemResult] = []
    for request in _requests(encoded):
        results.extend(_send(client, request))
    return results


def _deleted(client: Client, operations: Sequence[Operation], refused: Sequence[int]) -> list[int]:
    """Return which of these puts were refused by the version of what is not there any more."""
    puts = [position for position in refused if isinstance(operations[position], Put)]
    if not puts:
        return []
    places = [(operations[position].index, operations[position].id) for position in puts]
    with client.api() as api:
        asked = [{"_index": index, "_id": id_, "_source": False} for index, id_ in places]
        found = api.mget(docs=asked, realtime=True)["docs"]
    return [n for n, document in zip(puts, found, strict=True) if document.get("found") is False]


def encode_index(index: str, id_: str, body: Mapping[str, Any], **condition: Any) -> bytes:
    """Return the operation that writes a document, as lines of a request.

    Raises TypeError or ValueError for what is no JSON or has no valid id.
    """
    action = {"_index": index, "_id": _checked(id_), **condition}
    return _json({"index": action}) + b"\n" + _json(dict(body))


def _encode(operation: Operation) -> bytes:
    if isinstance(operation, Delete):
        condition = _version(operation.version, is_same=True)
        action = {"_index": operation.index, "_id": _checked(operation.id), **condition}
        return _json({"delete": action})
    condition = _version(operation.version, is_same=operation.is_same)
    # Null is no value, in both stores.
    body = {name: value for name, value in operation.body.items() if value is not None}
    return encode_index(operation.index, operation.id, body, **condition)


def _version(version: int | None, *, is_same: bool) -> dict[str, Any]:
    if version is None:
        return {}
    return {"version": version, "version_type": "external_gte" if is_same else "external"}


def _checked(id_: str) -> str:
    if not 0 < len(id_.encode()) <= LONGEST_ID_BYTES:
        raise ValueError(f"its id does not have 1 to {LONGEST_ID_BYTES} bytes")
    return id_


def _json(value: dict[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def _requests(encoded: Sequence[bytes]) -> Iterator[list[bytes]]:
    request: list[bytes] = []
    size_bytes = 0
    for operation in encoded:
        size_bytes += len(operation)
        if request and (size_bytes > REQUEST_BYTES or len(request) == REQUEST_OPERATIONS):
            yield request
            request, size_bytes = [], len(operation)
        request.append(operation)
    if request:
        yield request


def _send(client: Client, request: list[bytes]) -> list[ItemResult]:
    with client.api() as api:
        try:
            # Encoded already, to know the size; the client sends bytes as they are.
            items = api.bulk(operations=cast("Sequence[Mapping[str, Any]]", request))["items"]
        except ApiError as error:
            if error.status_code == TOO_BUSY:
                return [ItemResult(Verdict.RETRY, str(error))] * len(request)
            if error.status_code != TOO_LARGE:
                raise
        else:
            return [_result(next(iter(item.values()))) for item in items]
    if len(request) == 1:
        return [ItemResult(Verdict.NEVER, "the server takes no document of this size")]
    half = len(request) // 2
    return _send(client, request[:half]) + _send(client, request[half:])


def _result(item: Mapping[str, Any]) -> ItemResult:
    error = item.get("error")
    if error is None:
        # A missing document of a delete has the status 404 and no error.
        return ItemResult(Verdict.DONE)
    causes = [error, error.get("caused_by") or {}]
    reasons = [item["_index"], *(str(cause["reason"]) for cause in causes if cause.get("reason"))]
    return ItemResult(item_verdict(item["status"], error), ": ".join(reasons)[:1000])
