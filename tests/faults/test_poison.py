"""One event among thousands that nobody can count, of each kind: it costs only itself."""

import json
import random
import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.clock import ManualClock
from stats_pipeline.contrib.file_download.signals import file_downloaded
from stats_pipeline.errors import InvalidEvent
from stats_pipeline.events.preprocessors import (
    anonymize_user,
    build_file_unique_id,
    flag_robots,
)
from stats_pipeline.model import Event
from tests.faults.conftest import Host
from tests.faults.traffic import (
    EVENT_TYPE,
    SETTINGS,
    assert_at_rest,
    downloads,
    expected_of,
    publish,
)
from tests.support import Backend, MakeApp, pipeline_of

EVENTS = 3_000

TEMPLATES = "stats_pipeline.es_templates.file_download"

#: Kind -> what a download must have to become such a dead letter.
POISON: dict[str, dict[str, Any]] = {
    "invalid": {"no_such_field": 1},
    "preprocessor": {"referrer": "poison"},
    # Elasticsearch quotes it in its reason, and must not be taken to speak of its own limits.
    "rejected": {"extra": {"number": "maximum shards"}},
    # Of a time that retention has closed.
    "too_late": {"timestamp": "2016-11-30T23:59:59Z"},
}

#: At this time, with so many days of retention, what is from before December is closed.
NOW = datetime(2017, 1, 5, 12, tzinfo=UTC)
RETENTION_DAYS = 31

EVENTS_OF_SIGNALS = 200

#: What makes a builder fail, and what it makes no event of: no JSON, and a wrong time.
NO_EVENTS: list[dict[str, Any]] = [
    {"file_id": "fail"},
    {"file_key": {"a", "set"}},
    {"timestamp": "yesterday"},
]

#: What only a stranger sends: no message at all, and an event without a time.
STRANGE_MESSAGES = [b'{"events": [', b'{"events": [{"event_id": "e"}]}']


def refuse_poison(event: Event) -> Event:
    """Fail for one event, as a host's own code may."""
    if event.get("referrer") == "poison":
        raise ZeroDivisionError("poison")
    return event


def host_of_poison(folder: Path) -> dict[str, Any]:
    """Return settings with that preprocessor, and a field in which only the store sees a fault."""
    template = json.loads(files(TEMPLATES).joinpath("file-download.json").read_text())
    number = {"type": "object", "properties": {"number": {"type": "long"}}}
    template["template"]["mappings"]["properties"]["extra"] = number
    (folder / "file-download.json").write_text(json.dumps(template))
    chain = [flag_robots, anonymize_user, build_file_unique_id, refuse_poison]
    processor = {"preprocessors": chain, "retention_days": RETENTION_DAYS}
    config = {"templates": str(folder), "processor_config": processor}
    return {"STATS_EVENTS": {EVENT_TYPE: config}}


def test_W9_A004_31_a_poison_event_of_each_kind_costs_only_itself(
    distributed: Backend, host: Host, tmp_path: Path, seed: int
) -> None:
    """All others are counted, and each poison one is a dead letter that says why."""
    pipeline = host(distributed, clock=ManualClock(NOW), **host_of_poison(tmp_path))
    assert pipeline.apply_retention().closing_before == {EVENT_TYPE: "2016-12-01T00:00:00.000Z"}
    events = downloads(EVENTS)
    spoiled = downloads(len(POISON), first=EVENTS)
    poison = [{**event, **fault} for event, fault in zip(spoiled, POISON.values(), strict=True)]
    mixed = [*events, *poison]
    random.Random(seed).shuffle(mixed)
    publish(pipeline, mixed[: EVENTS // 2])
    queue_name = pipeline.registries.event_type(EVENT_TYPE).queue_name
    pipeline.queue.publish(queue_name, STRANGE_MESSAGES)
    publish(pipeline, mixed[EVENTS // 2 :])

    dead = {"undecodable": 1, "invalid": 2, "preprocessor": 1, "rejected": 1, "too_late": 1}
    assert_at_rest(pipeline, expected_of(events, dead=dead))
    letters = pipeline.dead_letters.list()
    reasons = "\n".join(sorted(f"{letter.kind}: {letter.error}" for letter in letters))
    assert re.fullmatch(
        "invalid: .*no_such_field.*\ninvalid: timestamp.*\n"
        "preprocessor: ZeroDivisionError.*\nrejected: .*number.*\n"
        "too_late: .*2016-12-01.*\nundecodable: .+",
        reasons,
    )


def build(event: Event, _sender: object, *, obj: Event) -> Event:
    """Build the event that the signal brings, or fail as the host's own code may."""
    if obj["file_id"] == "fail":
        raise RuntimeError("no such file")
    return {**event, **obj}


@pytest.mark.parametrize("mode", ["buffered", "confirmed"])
def test_A004_15_a_builder_that_fails_costs_only_the_events_of_its_signal(
    backend: Backend, make_app: MakeApp, mode: str
) -> None:
    """Also one that makes no event; the request goes on, and `publish` takes nothing of a list."""
    events = {EVENT_TYPE: {"event_builders": [build]}}
    place = (backend.store_url, backend.broker_url)
    pipeline = pipeline_of(make_app(*place, STATS_EVENTS=events, STATS_PUBLISH=mode, **SETTINGS))
    good, first = downloads(EVENTS_OF_SIGNALS), downloads(1)[0]
    failing = [{**first, **fault} for fault in NO_EVENTS]
    for obj in [*good[:10], *failing, *good[10:]]:
        file_downloaded.send(None, obj=obj)
    assert pipeline.counters().failed_signals == {EVENT_TYPE: len(failing)}
    for broken in failing[1:]:
        with pytest.raises(InvalidEvent):
            pipeline.publish(EVENT_TYPE, [*downloads(1, first=EVENTS), broken])
    assert pipeline.flush()
    assert_at_rest(pipeline, expected_of(good))
