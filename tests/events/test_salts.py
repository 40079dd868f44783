"""Salts live in the store: made once, whoever is first, and shared by all workers."""

from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest

from stats_pipeline.clock import ManualClock, format_time
from stats_pipeline.events.preprocessors import anonymize_user
from stats_pipeline.events.salts import CACHE_SECONDS, KIND, Salts
from stats_pipeline.stores.opening import open_store
from stats_pipeline.stores.protocol import Store
from tests.events.conftest import ThingPipeline
from tests.support import Backend, stored_events

NOON = datetime(2018, 1, 1, 12, tzinfo=UTC)
WORKERS = 8


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands at noon."""
    return ManualClock(NOON)


@pytest.fixture
def store(backend: Backend, index_prefix: str) -> Store:
    """Give the store of both kinds."""
    return open_store(backend.store_url, index_prefix=index_prefix)


def test_W14_two_pipelines_give_one_person_one_id(thing_pipeline: ThingPipeline) -> None:
    """Workers share the salts, and a worker that starts anew finds them."""
    for value in range(2):
        pipeline = thing_pipeline(preprocessors=[anonymize_user])
        pipeline.publish("thing", [{"value": value, "user_id": "u1"}])
        assert pipeline.process_events().indexed == 1
    events = stored_events(pipeline, "thing")
    assert len({event["value"] for event in events}) == 2
    assert len({event["visitor_id"] for event in events}) == 1


def test_W14_a_race_of_workers_makes_one_salt(store: Store, clock: ManualClock) -> None:
    """All of them begin at once and none has an id of its own."""
    barrier = Barrier(WORKERS)
    ids: list[str] = []

    def work() -> None:
        salts = Salts(store.state, "events-stats-thing", "day", clock)
        barrier.wait()
        ids.append(salts.hash(NOON, "u1"))

    threads = [Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == WORKERS
    assert len(set(ids)) == 1
    assert len(list(store.state.find(KIND))) == 1
    store.close()


def test_each_event_type_and_window_has_a_salt_of_its_own(store: Store, clock: ManualClock) -> None:
    """Ids of two event types, or of two days, can't be compared."""
    things = Salts(store.state, "events-stats-thing", "day", clock)
    others = Salts(store.state, "events-stats-other", "day", clock)
    ids = {
        things.hash(NOON, "u1"),
        others.hash(NOON, "u1"),
        things.hash(NOON.replace(day=2), "u1"),
        things.hash(NOON.replace(hour=13), "u1"),
    }
    assert len(ids) == 3
    keys = [record.body["key"] for record in store.state.find(KIND)]
    assert len(set(keys)) == 3
    assert {len(bytes.fromhex(key)) for key in keys} == {32}
    assert {record.body["created"] for record in store.state.find(KIND)} == {format_time(NOON)}
    store.close()


def test_a_copy_of_a_salt_is_trusted_for_minutes_only(store: Store, clock: ManualClock) -> None:
    """Once a salt is destroyed in the store, no worker goes on using it for long."""
    salts = Salts(store.state, "events-stats-thing", "day", clock)
    before = salts.hash(NOON, "u1")
    for record in list(store.state.find(KIND)):
        assert store.state.delete(record)
    assert salts.hash(NOON, "u1") == before
    clock.advance(CACHE_SECONDS + 1)
    assert salts.hash(NOON, "u1") != before
    store.close()
