"""The traffic of the fault tests: a known number of distinct downloads, and what must come of it.

What the helpers of this folder give:

- `traffic`: `downloads(n)` are events, `expected_of(events)` is what they must end as, and
  `assert_at_rest(pipeline, expected)` stands at the end of every fault test.
- `processes`: real processes that drain or update, to be killed, stopped and continued.
- `proxy`: an HTTP proxy before the store, which refuses, cuts or holds back what a test chooses.
- `gate`: a TCP proxy before the broker, which can be shut, fall silent, or cut connections.
- `conftest`: fixtures of all these: `host` makes pipelines, `start` makes processes, `store_proxy`
  and `behind_proxy` are the proxy and the place to run in behind it, `gate` is the broker's gate,
  `seed` begins what is left to chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.services.server import wait_until
from stats_pipeline.clock import SystemClock
from stats_pipeline.model import Event
from stats_pipeline.pipeline import Pipeline
from tests.support import BROWSER

EVENT_TYPE = "file-download"
AGGREGATION = "file-download-agg"

#: What the names of the indices of events, of rows, and of the state records hold.
EVENT_INDEX = "events-stats-file-download-2016"
ROW_INDEX = "-stats-file-download-2016"
STATE_INDEX = "stats_pipeline-state"

FILES = 5
VISITORS = 23
UNTIL_OTHERS_COME = 100_000
DAYS = 3
FIRST_DAY = datetime(2016, 12, 17, tzinfo=UTC)

#: Events of each message, unless a test says otherwise.
MESSAGE_EVENTS = 50

#: For what a broker has to give back, and workers have to do, on a busy machine.
REST_WITHIN_SECONDS = 60

#: The shipped query of a file's days, with every number that its rows have.
SETTINGS: Mapping[str, Any] = {
    "STATS_QUERIES": {
        "bucket-file-download-histogram": {
            "query_config": {
                "metric_fields": {
                    "value": ("sum", "count"),
                    "volume": ("sum", "volume"),
                    # The only row of a file and a day, so the sum and the extreme are the same.
                    "visitors": ("max", "unique_count"),
                }
            }
        }
    }
}

#: Day and file -> downloads, bytes, visitors.
Totals = dict[tuple[str, str], tuple[int, int, int]]


class LaterClock(SystemClock):
    """Be two days ahead: an interval that was taken from a stopped run is then done for good."""

    def now(self) -> datetime:
        """Return the time in two days."""
        return super().now() + timedelta(days=2)


class ImpatientClock(SystemClock):
    """Wait for nothing, as between the tries of a write that is refused for now."""

    def sleep(self, seconds: float) -> None:
        """Go on at once."""


@dataclass(frozen=True)
class Expected:
    """Be what must come of some events.

    Attributes:
        totals: day and file -> downloads, bytes, visitors.
        sent: how many events were handed over, those that can't be counted among them.
        dead: kind of dead letter -> how many.
    """

    totals: Totals
    sent: int
    dead: Mapping[str, int] = field(default_factory=dict)


def downloads(count: int, *, first: int = 0) -> list[Event]:
    """Return downloads that are no double clicks of each other, spread over files and days.

    Args:
        count: how many.
        first: number of the first one; the same numbers are the same events.
    """
    return [_download(number) for number in range(first, first + count)]


def expected_of(events: Sequence[Event], *, dead: Mapping[str, int] | None = None) -> Expected:
    """Return what these events must end as, and beside them so many dead letters of each kind."""
    rows: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        rows.setdefault((event["timestamp"][:10], event["file_key"]), []).append(event)
    totals = {
        place: (
            len(group),
            sum(event["size"] for event in group),
            len({event["user_id"] for event in group}),
        )
        for place, group in rows.items()
    }
    dead = dead or {}
    return Expected(totals, len(events) + sum(dead.values()), dead)


def portions(events: Sequence[Event], size: int) -> Iterator[list[Event]]:
    """Yield the events in their order, so many at a time."""
    for first in range(0, len(events), size):
        yield list(events[first : first + size])


def publish(pipeline: Pipeline, events: Sequence[Event], size: int = MESSAGE_EVENTS) -> None:
    """Publish the events in messages of this size."""
    for message in portions(events, size):
        pipeline.publish(EVENT_TYPE, message)


def totals(pipeline: Pipeline) -> Totals:
    """Return what the query answers for every file and day."""
    found: Totals = {}
    for file in range(FILES):
        answer = pipeline.query(
            "bucket-file-download-histogram", bucket_id="20", file_key=_file_key(file)
        )
        for bucket in answer["buckets"]:
            if bucket["value"]:
                numbers = bucket["value"], bucket["volume"], bucket["visitors"]
                found[bucket["date"][:10], _file_key(file)] = numbers
    return found


def assert_at_rest(pipeline: Pipeline, expected: Expected) -> None:
    """Process and update until nothing is left; then every number must be the expected one.

    And the balance sheet must be closed, with every event on it once.
    """
    with suppress(TimeoutError):  # what is missing, or too much, is shown below
        wait_until(lambda: _is_at_rest(pipeline, expected), timeout_seconds=REST_WITHIN_SECONDS)
    processing = pipeline.process_events()
    assert [report.error for report in processing.types.values()] == [""]
    assert processing.taken == 0
    assert pipeline.publisher.spooled() == 0
    update = pipeline.update()
    assert update.is_complete, update
    assert totals(pipeline) == expected.totals
    assert Counter(letter.kind for letter in pipeline.dead_letters.list()) == expected.dead
    balance = pipeline.balance()
    assert balance.is_closed, balance
    assert balance.types[EVENT_TYPE].accepted == expected.sent


def _is_at_rest(pipeline: Pipeline, expected: Expected) -> bool:
    processing = pipeline.process_events()
    # The messages of a worker that was killed come back when the broker has noticed.
    is_idle = processing.taken == 0 and not any(r.error for r in processing.types.values())
    return is_idle and pipeline.update().is_complete and totals(pipeline) == expected.totals


def _download(number: int) -> Event:
    file = number % FILES
    # No multiple of the files' number, so that each file has every visitor. The next click of a
    # visitor is minutes later, or in another file; but not for ever, so others come then.
    day, second = number % DAYS, number * 13 % 86_400
    return {
        "event_id": f"e{number}",
        "timestamp": (FIRST_DAY + timedelta(days=day, seconds=second)).isoformat(),
        "user_id": f"u{number % VISITORS}-{number // UNTIL_OTHERS_COME}",
        "user_agent": BROWSER,
        "bucket_id": "20",
        "file_id": f"f-{file}",
        "file_key": _file_key(file),
        "size": 1_000 + number % 7,
    }


def _file_key(file: int) -> str:
    return f"file{file}.txt"
