"""After retention and grace nothing of an event is left anywhere in the store, but in its rows."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan

from stats_pipeline.clock import ManualClock, parse_time
from stats_pipeline.pipeline import Pipeline
from tests.aggregations.host import take, update, visits
from tests.moving.conftest import Make
from tests.moving.host import bring, totals
from tests.support import BROWSER, Backend, stored_events

DAY_SECONDS = 86_400

#: In a field that no row has.
MARKER = "known-to-nobody-4711"

OF = {"kind": MARKER, "user_id": "u-1", "user_agent": BROWSER}


def everything_in(pipeline: Pipeline, backend: Backend) -> str:
    """Return all documents and state records, whoever wrote them; of SQLite all of the file."""
    if backend.store_url.startswith("sqlite:"):
        file = Path(urlsplit(backend.store_url).path)
        with closing(sqlite3.connect(file)) as database:
            dump = "\n".join(database.iterdump())
        raw = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
        return dump + raw.decode(errors="replace")
    prefix = pipeline.settings["STATS_INDEX_PREFIX"]
    with Elasticsearch(backend.store_url) as api:
        api.indices.refresh(index=f"{prefix}*", expand_wildcards="all")
        hits = scan(api, index=f"{prefix}*", expand_wildcards="all")
        return "\n".join(json.dumps(hit["_source"]) for hit in hits)


def test_no_copy_of_an_event_outlives_it(make: Make, backend: Backend) -> None:
    """Nor of its visitor: earlier revisions, which imports keep for an undo, go with the index."""
    clock = ManualClock(parse_time("2017-01-20T12:00Z"))
    pipeline = make(
        clock=clock,
        preprocessors=["stats_pipeline.events.preprocessors:anonymize_user"],
        retention_days=31,
    )
    time = "2017-01-10T10:00:00.000Z"
    take(pipeline, visits((time, "/a"), event_id="1", **OF))
    take(pipeline, visits((time, "/a"), event_id="2", **OF))
    take(pipeline, visits((time, "/a"), event_id="2", revision=1, withdrawn=True, **OF))
    lines = [
        json.dumps({"event_id": "1", "timestamp": time, "page": "/a", "revision": n, **OF}).encode()
        for n in range(3)
    ]
    bring(pipeline, lines[2:], "a", "visit")
    bring(pipeline, lines[:2], "b", "visit")
    pipeline.publish("visit", visits((time, "/a"), wrong=1, **OF))
    assert pipeline.process_events().dead == 1
    update(pipeline)
    secrets = {MARKER, *(event["visitor_id"] for event in stored_events(pipeline, "visit"))}
    assert len(secrets) == 2
    assert all(secret in everything_in(pipeline, backend) for secret in secrets)

    deleted = []
    for _ in range(7):
        clock.advance(20 * DAY_SECONDS)
        dry, report = pipeline.apply_retention(dry_run=True), pipeline.apply_retention()
        assert not report.errors
        assert (dry.events, dry.revisions) == (report.events, report.revisions)
        deleted += [(sum(report.events.values()), number) for number in report.revisions.values()]
    assert deleted == [(2, 2)]
    found = everything_in(pipeline, backend)
    assert [secret for secret in secrets if secret in found] == []
    assert [row["count"] for row in totals(pipeline)] == [1]
