"""Probes: test messages through a real queue, answered by whoever drains it.

`stats doctor` puts one into each queue and waits for the answers, which are state records. A probe
holds no event, so nothing is counted, and a worker that does not know of probes only takes it away.
"""

from __future__ import annotations

import json
import os
import re
import socket
from dataclasses import dataclass
from datetime import datetime

from importlib_metadata import version

from stats_pipeline.clock import Clock, format_time, parse_time
from stats_pipeline.stores.forgetting import forget
from stats_pipeline.stores.protocol import Record, State

KIND = "probe"

#: A message is a probe if it begins so.
_BEGIN = b'{"probe": '

#: A larger message is none of ours.
_LARGEST_BYTES = 1_000

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Probe:
    """Be a test message: 32 hexadecimal digits, and when nobody waits for its answer any more."""

    id: str
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """Say who has taken a probe from its queue, and when."""

    host: str
    pid: int
    version: str
    time: datetime


def encode(probe: Probe) -> bytes:
    """Return the message."""
    head = {"id": probe.id, "valid_until": format_time(probe.valid_until)}
    return json.dumps({"probe": head, "events": []}).encode()


def read(body: bytes) -> Probe | None:
    """Return the probe that a message is, None for every other message."""
    if len(body) > _LARGEST_BYTES or not body.startswith(_BEGIN):
        return None
    try:
        head = json.loads(body)["probe"]
        probe_id, valid_until = head["id"], parse_time(head["valid_until"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(probe_id, str) or not _ID.fullmatch(probe_id):
        return None
    return Probe(probe_id, valid_until)


def answer(state: State, probe: Probe, clock: Clock) -> None:
    """Say that this process has taken the probe, unless nobody waits for that any more."""
    now = clock.now()
    if now < probe.valid_until:
        ours = version("stats_pipeline")
        body = {"host": socket.gethostname(), "pid": os.getpid(), "version": ours}
        state.put([Record(KIND, probe.id, time=now, body=body)])


def take_answer(state: State, probe: Probe) -> Answer | None:
    """Return the answer and remove it, None where there is none yet."""
    (record,) = state.get(KIND, [probe.id])
    if record is None or record.time is None:
        return None
    state.delete(record)
    return Answer(**record.body, time=record.time)


def forget_answers(state: State, *, before: datetime) -> None:
    """Remove the answers that nobody has taken."""
    forget(state, KIND, before=before)
