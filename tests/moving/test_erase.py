"""Erasure: one person's events go, on request, as long as their keys live."""

import json
from datetime import timedelta
from typing import Any

import pytest

from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.events.salts import destroy_salts
from stats_pipeline.model import Filter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.protocol import Document, Put, Verdict
from tests.aggregations.host import NOON, take, visits
from tests.moving.conftest import Make
from tests.moving.host import bring, export, totals
from tests.support import stored_events

ANONYMOUS: dict[str, Any] = {
    "preprocessors": ["stats_pipeline.events.preprocessors:anonymize_user"],
    "salt_window": "day",
}
DAYS = ("2017-01-10T10:00", "2017-01-11T10:00", "2017-01-11T11:00")


def test_all_events_of_a_person_go_and_totals_follow(make: Make) -> None:
    """In every salt window; a dry run only counts, and what is erased does not come back."""
    pipeline = make(**ANONYMOUS)
    hers = visits(*((time, "/a") for time in DAYS), user_id="her")
    hers = [{**event, "event_id": f"h{number}"} for number, event in enumerate(hers)]
    take(pipeline, hers)
    take(pipeline, visits(*((time, "/a") for time in DAYS), user_id="him"))
    take(pipeline, visits((DAYS[0], "/b"), session_id="her"))
    assert [row["count"] for row in totals(pipeline)] == [2, 1, 4]

    report = pipeline.moving.erase("visit", user_id="her", dry_run=True)
    assert (report.events, report.living_keys) == (3, 2)
    assert [row["count"] for row in totals(pipeline)] == [2, 1, 4]

    assert pipeline.moving.erase("visit", user_id="her").events == 3
    assert [row["count"] for row in totals(pipeline)] == [1, 1, 2]
    left = [e for e in stored_events(pipeline, "visit") if e["event_id"].startswith("h")]
    assert all(event["withdrawn"] for event in left)
    assert not {"visitor_id", "unique_session_id", "page"} & {name for e in left for name in e}
    take(pipeline, hers)
    assert [row["count"] for row in totals(pipeline)] == [1, 1, 2]
    assert pipeline.moving.erase("visit", user_id="her").events == 0


def test_a_person_is_known_by_session_or_by_address_and_agent_too(make: Make) -> None:
    """By that of these which the events had; by nothing else, and by no mixture."""
    pipeline = make(**ANONYMOUS)
    take(pipeline, visits((DAYS[0], "/a"), session_id="s"))
    take(pipeline, visits((DAYS[0], "/b"), ip_address="192.0.2.7", user_agent="x"))
    take(pipeline, visits((DAYS[0], "/c"), ip_address="192.0.2.7"))
    erase = pipeline.moving.erase
    assert erase("visit", session_id="s").events == 1
    assert erase("visit", ip_address="192.0.2.7", user_agent="y").events == 0
    assert erase("visit", ip_address="192.0.2.7", user_agent="x").events == 1
    assert erase("visit", ip_address="192.0.2.7").events == 1
    assert totals(pipeline) == []
    nobody: list[dict[str, Any]] = [{}, {"user_id": "a", "session_id": "b"}, {"name": "x"}]
    for person in nobody:
        with pytest.raises(InvalidParameter, match="Give user_id, or session_id, or ip_address"):
            erase("visit", **person)
    with pytest.raises(InvalidParameter, match="user_id is empty"):
        erase("visit", user_id="")


def test_where_a_key_is_destroyed_nobody_can_tell_any_more(make: Make) -> None:
    """Those events stay, and can't be led back to anybody; those of living keys go."""
    clock = ManualClock(NOON)
    pipeline = make(clock=clock, **ANONYMOUS)
    take(pipeline, visits((DAYS[0], "/a"), user_id="her"))
    clock.advance(86_400)
    take(pipeline, visits((DAYS[1], "/a"), user_id="her"))
    state = pipeline.store.state
    destroy_salts(state, now=clock.now(), before=clock.now() - timedelta(hours=12))
    report = pipeline.moving.erase("visit", user_id="her")
    assert (report.events, report.living_keys) == (1, 1)
    assert [row["count"] for row in totals(pipeline)] == [1]


def test_dead_letters_of_the_person_go_as_well(make: Make) -> None:
    """They hold what identifies people as it came."""
    pipeline = make(**ANONYMOUS)
    for user in ("her", "him"):
        pipeline.publish("visit", [{"timestamp": DAYS[0], "user_id": user, "unknown": 1}])
    assert pipeline.process_events(["visit"]).dead == 2
    assert pipeline.moving.erase("visit", user_id="her", dry_run=True).dead_letters == 1
    assert pipeline.moving.erase("visit", user_id="her").dead_letters == 1
    assert [letter.event["user_id"] for letter in pipeline.dead_letters.list()] == ["him"]


def test_of_dead_letters_only_those_of_the_person_go(make: Make) -> None:
    """An address is that of many people; with it alone only those go who had nothing else."""
    pipeline = make(**ANONYMOUS)
    address = {"timestamp": DAYS[0], "unknown": 1, "ip_address": "192.0.2.7"}
    letters = [{**address, "user_id": "him"}, {**address, "user_agent": "x"}, address]
    pipeline.publish("visit", letters)
    assert pipeline.process_events(["visit"]).dead == 3
    assert pipeline.moving.erase("visit", ip_address="192.0.2.7").dead_letters == 1
    assert len(pipeline.dead_letters.list()) == 2


def test_an_erased_event_that_was_imported_does_not_come_back_by_the_queue(make: Make) -> None:
    """Nor by another import; and neither by what an update has read before."""
    pipeline = make(**ANONYMOUS)
    event = {**visits((DAYS[0], "/a"), user_id="her")[0], "event_id": "1"}
    line = json.dumps(event).encode()
    bring(pipeline, [line], event_type="visit")
    read = _stored(pipeline)
    assert pipeline.moving.erase("visit", user_id="her").events == 1
    flag = Put(read.index, read.id, read.body, read.version, is_same=True)
    assert pipeline.store.bulk([flag])[0].verdict is Verdict.DUPLICATE
    take(pipeline, [event])
    bring(pipeline, [line], "b", event_type="visit")
    assert "visitor_id" not in _stored(pipeline).body
    assert totals(pipeline) == []


def _stored(pipeline: Pipeline) -> Document:
    alias = pipeline.registries.event_type("visit").alias
    pipeline.store.refresh([alias])
    with pipeline.store.snapshot([alias]) as events:
        (document,) = events.scan(Filter(), ["timestamp"])
    return document


def test_events_that_are_not_anonymous_are_found_by_what_they_keep(make: Make) -> None:
    """An event type without anonymize_user stores what its template names."""
    pipeline = make()
    assert pipeline.moving.erase("visit", user_id="her").events == 0
    assert export(pipeline) == []
