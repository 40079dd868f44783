"""What Elasticsearch's refusals mean: by error type first, since a status alone says too little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elastic_transport import TlsError
from elasticsearch import (
    ApiError,
    ConnectionTimeout,
    SerializationError,
    TransportError,
    UnsupportedProductError,
)
from urllib3.exceptions import NewConnectionError

from stats_pipeline.errors import (
    PartialResult,
    StoreError,
    StoreRefused,
    StoreUnanswered,
    StoreUnavailable,
)
from stats_pipeline.stores.protocol import Verdict

INDEX_MISSING = "index_not_found_exception"
INDEX_EXISTS = "resource_already_exists_exception"
FORBIDDEN = "security_exception"

CHECK_USER = "check the user, the password and the user's privileges"

#: An operator must act, whatever the status says.
_FAULTS = frozenset({INDEX_MISSING, "index_closed_exception", "cluster_block_exception", FORBIDDEN})

#: Overload or a cluster on the move: the same request may work later, whatever the status says.
_PASSING = frozenset(
    {
        "circuit_breaking_exception",
        "es_rejected_execution_exception",
        "master_not_discovered_exception",
        "no_shard_available_action_exception",
        "node_closed_exception",
        "node_disconnected_exception",
        "node_not_connected_exception",
        "process_cluster_event_timeout_exception",
        "shard_not_in_primary_mode_exception",
        "timeout_exception",
        "unavailable_shards_exception",
    }
)

#: Some of the shards of a search did not answer.
PARTIAL = "search_phase_execution_exception"


def item_verdict(status: int, error: Mapping[str, Any]) -> Verdict:
    """Return what to do about one failed item of a bulk."""
    kind = str(error.get("type"))
    if kind == "version_conflict_engine_exception":
        return Verdict.DUPLICATE
    return _verdict(status, kind)


def error_types(error: ApiError) -> set[str]:
    """Return the type of the error and of its causes."""
    body = error.body.get("error") if isinstance(error.body, dict) else None
    if not isinstance(body, dict):
        return set()
    causes = [body, *body.get("root_cause", ())]
    return {str(cause.get("type")) for cause in causes}


def translate(error: ApiError | TransportError, server: str) -> StoreError:
    """Return our error for the client's: try again later, or an operator must act."""
    if isinstance(error, ApiError):
        return _translate_answer(error, server)
    reason = str(error.message).rsplit(": ", 1)[-1]
    if isinstance(error, TlsError):
        return StoreRefused(
            f"There is no secure connection to Elasticsearch at {server} ({reason}): check the "
            "address and the certificate, and name its authority in the environment variable "
            "SSL_CERT_FILE if it is your own"
        )
    if isinstance(error, SerializationError):
        return StoreRefused(
            f"{server} answers, but not like Elasticsearch: check the address ({reason})"
        )
    why = "no answer in time" if isinstance(error, ConnectionTimeout) else reason
    was_asked = not isinstance(error.__cause__, NewConnectionError)
    return (StoreUnanswered if was_asked else StoreUnavailable)(
        f"Elasticsearch at {server} does not answer ({why}): is it running, and is the address "
        "right?"
    )


def _translate_answer(error: ApiError, server: str) -> StoreError:
    reason = _reason(error)
    if isinstance(error, UnsupportedProductError):
        return StoreRefused(f"{server} is not Elasticsearch 8 or 9: check the address")
    types = error_types(error)
    if PARTIAL in types and error.status_code >= 500:
        return PartialResult(
            f"Elasticsearch at {server} can't read all of the data ({reason}): are all nodes up?"
        )
    verdicts = {_verdict(error.status_code, kind) for kind in types or {""}}
    if Verdict.RETRY in verdicts:
        # Not Elasticsearch's own words: a proxy that would not wait longer.
        return (StoreUnavailable if types else StoreUnanswered)(
            f"Elasticsearch at {server} can't do this now ({error.status_code}, {reason}): it may "
            "be overloaded or restarting"
        )
    return StoreRefused(
        f"Elasticsearch at {server} refuses ({error.status_code}, {reason}): "
        f"{_advice(error.status_code, types)}"
    )


def _verdict(status: int, kind: str) -> Verdict:
    # By type and status alone: a reason quotes what strangers have written into events.
    if kind in _PASSING or status in (408, 502, 503, 504):
        return Verdict.RETRY
    if kind in _FAULTS or status in (401, 403):
        return Verdict.FAULT
    return Verdict.RETRY if status == 429 or status >= 500 else Verdict.NEVER


def _advice(status: int, types: set[str]) -> str:
    if status in (401, 403) and "cluster_block_exception" not in types:
        return CHECK_USER
    if INDEX_MISSING in types:
        return "was the index deleted? Restore it from a backup: it is not made again by itself"
    if "cluster_block_exception" in types:
        return "writes are blocked; is a disk full, or an index closed or read-only?"
    return "see the reason; the server's log may say more"


def _reason(error: ApiError) -> str:
    body = error.body.get("error") if isinstance(error.body, dict) else None
    if isinstance(body, dict):
        causes = [body, *body.get("root_cause", ()), body.get("caused_by") or {}]
        reason = next((str(c["reason"]) for c in causes if c.get("reason")), "no reason given")
        # Of a template, the first only says that something in it is wrong, and the last one what.
        last = _last_reason(body)
        return " ".join((reason if last in reason else f"{reason}: {last}").split())[:500]
    return str(error.message)[:500]


def _last_reason(cause: Mapping[str, Any]) -> str:
    while isinstance(cause.get("caused_by"), dict):
        cause = cause["caused_by"]
    return str(cause.get("reason") or "")
