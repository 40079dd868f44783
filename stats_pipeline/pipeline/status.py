"""The status of everything; each part is asked for itself, so that an outage hides no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from stats_pipeline.clock import format_time, parse_time
from stats_pipeline.errors import QueueUnavailable, StatsError, StoreUnanswered, StoreUnavailable
from stats_pipeline.events.messages import decode
from stats_pipeline.intervals import DAY
from stats_pipeline.model import Filter
from stats_pipeline.queues.protocol import Queue, Spool
from stats_pipeline.registry import EventDefinition
from stats_pipeline.stores.protocol import Snapshot

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

#: How many of the last runs are shown.
SHOWN_RUNS = 20

#: So many messages are looked at for one that says when it was received: a doctor's probes and
#: what strangers have sent don't.
MOST_LOOKED_AT = 20

#: What may be away on its own.
Server = Literal["store", "queue", "spool"]


def describe(pipeline: Pipeline) -> dict[str, Any]:
    """Return how everything is, as JSON values.

    What can't be known now is `{"error": why}` in its place; `errors` has each of these once.
    """
    registries, asked = pipeline.registries, _Asked()
    return {
        "store": asked.check("store", pipeline.store.check),
        "queue": asked.check("queue", pipeline.queue.check),
        "spooled_messages": asked("spool", pipeline.publisher.spooled),
        "spool_megabytes": pipeline.spool and asked("spool", partial(_megabytes, pipeline.spool)),
        **_dead_letters(pipeline, asked),
        "events": {
            name: _event_type(pipeline, name, asked) for name in registries.active_event_types
        },
        "aggregations": {
            name: asked("store", partial(_aggregation, pipeline, name))
            for name in sorted(registries.aggregation_items)
        },
        "runs": asked("store", partial(_runs, pipeline)),
        "errors": asked.errors,
    }


class _Asked:
    """Ask servers, and put into the place of an answer why there is none.

    Attributes:
        errors: all of these reasons, each once.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        #: Who is not asked again: each question might take a minute.
        self._silent: dict[Server, StatsError] = {}

    def check(self, server: Server, ask: Callable[[], Any]) -> Any:
        """Return how a server is; one that is not there is asked nothing else."""
        try:
            return ask()
        except (QueueUnavailable, StoreUnavailable) as error:
            self._silent[server] = error
            return self._failed(error)
        except StatsError as error:
            return self._failed(error)

    def __call__(self, server: Server | None, ask: Callable[[], Any]) -> Any:
        """Return the answer of a server (None: of the configuration), or `{"error": why}`."""
        if server in self._silent:
            return self._failed(self._silent[server])
        try:
            return ask()
        except StoreUnanswered as error:
            self._silent["store"] = error
            return self._failed(error)
        except StatsError as error:
            return self._failed(error)

    def _failed(self, error: StatsError) -> dict[str, str]:
        if str(error) not in self.errors:
            self.errors.append(str(error))
        return {"error": str(error)}


def _megabytes(spool: Spool) -> dict[str, float]:
    """Return how full it is."""
    return {"used": round(spool.used_bytes() / 1e6, 1), "limit": round(spool.limit_bytes / 1e6, 1)}


def _dead_letters(pipeline: Pipeline, asked: _Asked) -> dict[str, Any]:
    summary = asked("store", lambda: pipeline.dead_letters.summary().as_dict())
    return {
        "dead_letters": summary.get("total", summary),
        "dead_letter_summary": summary,
    }


def _event_type(pipeline: Pipeline, name: str, asked: _Asked) -> dict[str, Any]:
    """Return what waits, and what is stored; events that were withdrawn are not counted."""
    definition = asked(None, partial(pipeline.registries.event_type, name))
    if not isinstance(definition, EventDefinition):
        return {"error": definition["error"]}
    queue_name = definition.queue_name
    waiting = asked("queue", partial(_waiting, pipeline.queue, queue_name))
    found = [
        asked("queue", partial(_oldest, pipeline.queue, queue_name)) if waiting else None,
        pipeline.spool and asked("spool", partial(_oldest, pipeline.spool, queue_name)),
    ]
    times = [time for time in found if isinstance(time, datetime)]
    unknown = next(filter(None, found), None)
    return {
        "waiting_messages": waiting,
        "oldest_waiting": format_time(min(times)) if times else unknown,
        **_stored(pipeline, definition, asked),
    }


def _waiting(queue: Queue, name: str) -> int:
    return queue.depth(name) if queue.exists(name) else 0


def _oldest(queue: Queue, name: str) -> datetime | None:
    """Return when what waits for longest was received, going by the first messages of ours."""
    return queue.look(name, _received, most=MOST_LOOKED_AT) if queue.exists(name) else None


def _received(body: bytes) -> datetime | None:
    """Return when the oldest event of a message was received, None where nobody says that."""
    try:
        events = decode(body).events
        times = [event["received_at"] for event in events if "received_at" in event]
        return min(map(parse_time, times), default=None)
    except (ValueError, TypeError):
        return None  # It is none of ours, and will be a dead letter.


def _stored(pipeline: Pipeline, definition: EventDefinition, asked: _Asked) -> dict[str, Any]:
    keys = ("stored_events", "robot_share", "stored_events_last_day", "robot_share_last_day")

    def ask() -> dict[str, Any]:
        alias, now = [definition.alias], pipeline.clock.now()
        pipeline.store.refresh(alias)
        with pipeline.store.snapshot(alias) as snapshot:
            recent = _count(snapshot, Filter().between("timestamp", start=now - DAY))
            stored = _count(snapshot, Filter())
        values = (stored[0], _share(*stored), recent[0], _share(*recent))
        return dict(zip(keys, values, strict=True))

    found = asked("store", ask)
    return dict.fromkeys(keys, found) if "error" in found else found


def _count(snapshot: Snapshot, where: Filter) -> tuple[int, int]:
    """Return how many events there are, and how many of them are robots'."""
    there = where.where("withdrawn", exclude=[True])
    return snapshot.count(there), snapshot.count(there.where("is_robot", include=[True]))


def _share(events: int, robots: int) -> float | None:
    return round(robots / events, 4) if events else None


def _aggregation(pipeline: Pipeline, name: str) -> dict[str, Any]:
    updating = pipeline.updating(pipeline.registries.aggregation(name))
    as_of = updating.as_of()
    return {
        "dirty_intervals": len(updating.dirty()),
        "as_of": None if as_of is None else format_time(as_of),
    }


def _runs(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [run.as_dict() for run in pipeline.runs(limit=SHOWN_RUNS)]
