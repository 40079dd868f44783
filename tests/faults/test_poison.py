"""One event among thousands that nobody can count, of each kind: it costs only itself."""

import json
import random
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from stats_pipeline.events.preprocessors import (
    anonymize_user,
    build_file_unique_id,
    flag_robots,
)
from stats_pipeline.model import Event
from tests.faults.conftest import Host
from tests.faults.traffic import EVENT_TYPE, assert_at_rest, downloads, expected_of, publish
from tests.support import Backend

EVENTS = 3_000

TEMPLATES = "stats_pipeline.es_templates.file_download"

#: Kind -> what a download must have to become such a dead letter.
POISON: dict[str, dict[str, Any]] = {
    "invalid": {"no_such_field": 1},
    "preprocessor": {"referrer": "poison"},
    # Elasticsearch quotes it in its reason, and must not be taken to speak of its own limits.
    "rejected": {"extra": {"number": "maximum shards"}},
}


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
    config = {"templates": str(folder), "processor_config": {"preprocessors": chain}}
    return {"STATS_EVENTS": {EVENT_TYPE: config}}


def test_W9_A004_31_a_poison_event_of_each_kind_costs_only_itself(
    distributed: Backend, host: Host, tmp_path: Path, seed: int
) -> None:
    """All others are counted, and each poison one is a dead letter that says why."""
    pipeline = host(distributed, **host_of_poison(tmp_path))
    events = downloads(EVENTS)
    poison = [
        {**event, **fault}
        for event, fault in zip(downloads(3, first=EVENTS), POISON.values(), strict=True)
    ]
    mixed = [*events, *poison]
    random.Random(seed).shuffle(mixed)
    publish(pipeline, mixed[: EVENTS // 2])
    queue_name = pipeline.registries.event_type(EVENT_TYPE).queue_name
    pipeline.queue.publish(queue_name, STRANGE_MESSAGES)
    publish(pipeline, mixed[EVENTS // 2 :])

    dead = {"undecodable": 1, "invalid": 2, "preprocessor": 1, "rejected": 1}
    assert_at_rest(pipeline, expected_of(events, dead=dead))
    letters = pipeline.dead_letters.list()
    reasons = "\n".join(sorted(f"{letter.kind}: {letter.error}" for letter in letters))
    assert re.fullmatch(
        "invalid: .*no_such_field.*\ninvalid: timestamp.*\n"
        "preprocessor: ZeroDivisionError.*\nrejected: .*number.*\nundecodable: .+",
        reasons,
    )
