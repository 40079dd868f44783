"""Salts live in the store: made once, shared by all workers, and destroyed when they are old."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest

from stats_pipeline.clock import MILLISECOND, ManualClock, format_time
from stats_pipeline.errors import TooLate
from stats_pipeline.events.preprocessors import anonymize_user
from stats_pipeline.events.salts import CACHE_SECONDS, KIND, Salts, destroy_salts
from stats_pipeline.stores.opening import open_store
from stats_pipeline.stores.protocol import Store
from tests.events.conftest import ThingPipeline
from tests.support import Backend, stored_events

NOON = datetime(2018, 1, 1, 12, tzinfo=UTC)
WORKERS = 8

#: Each is a race of its own.
DAYS = 20


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
    """All of them begin each day at once and none has an id of its own."""
    barrier = Barrier(WORKERS)
    ids: list[list[str]] = []

    def work() -> None:
        salts = Salts(store.state, "events-stats-thing", "day", clock)
        own = []
        for day in range(DAYS):
            barrier.wait()
            own.append(salts.hash(NOON + timedelta(days=day), "u1"))
        ids.append(own)

    threads = [Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == WORKERS
    assert [len(set(of_a_day)) for of_a_day in zip(*ids, strict=True)] == [1] * DAYS
    assert len(list(store.state.find(KIND))) == DAYS
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


def test_A004_25_salts_are_random(clock: ManualClock) -> None:
    """Of two installations that are named alike nobody can tell the ids of one by the other's."""
    ids = set()
    for _ in range(2):
        store = open_store("sqlite://")
        ids.add(Salts(store.state, "events-stats-thing", "day", clock).hash(NOON, "u1"))
        store.close()
    assert len(ids) == 2


def destroy(store: Store, now: datetime, *, dry_run: bool = False) -> int:
    """Destroy what has to go after a grace period of thirty days; return how many keys."""
    before = now - timedelta(days=30)
    return sum(destroy_salts(store.state, now=now, before=before, dry_run=dry_run).values())


@pytest.mark.parametrize(
    ("window", "made", "kept_until"),
    [
        ("day", NOON, datetime(2018, 2, 1, tzinfo=UTC)),
        ("month", NOON, datetime(2018, 3, 3, tzinfo=UTC)),
        # An old log is imported: its keys are made now, and there is time to import the rest.
        ("day", datetime(2020, 6, 1, 12, tzinfo=UTC), datetime(2020, 7, 1, 12, tzinfo=UTC)),
        ("forever", NOON, None),
    ],
)
def test_A004_25_a_salt_is_destroyed_a_grace_period_after_its_window_and_its_making(
    store: Store, window: str, made: datetime, kept_until: datetime | None
) -> None:
    """Not a moment before, never made again, and only a tombstone is left of it."""
    clock = ManualClock(made)
    Salts(store.state, "events-stats-thing", window, clock).hash(NOON, "u1")
    late = (kept_until or datetime(2100, 1, 1, tzinfo=UTC)) + MILLISECOND
    assert destroy(store, late - MILLISECOND) == 0
    assert destroy(store, late, dry_run=True) == destroy(store, late) == bool(kept_until)
    assert destroy(store, late) == 0
    (record,) = store.state.find(KIND)
    if kept_until:
        assert record.body == {"destroyed": format_time(late)}
        for _ in range(2):  # the second one from the copy that is kept for minutes
            with pytest.raises(TooLate, match="their key is destroyed; STATS_GRACE_DAYS"):
                Salts(store.state, "events-stats-thing", window, clock).hash(NOON, "u1")
        assert list(store.state.find(KIND)) == [record]
    store.close()


def test_A004_25_a_click_is_counted_though_the_salt_before_its_own_is_destroyed(
    store: Store, clock: ManualClock
) -> None:
    """Only its connection with the click before the change is lost."""
    midnight = NOON.replace(day=2, hour=0)

    def salts() -> Salts:
        return Salts(store.state, "events-stats-thing", "day", clock, overlap_seconds=30)

    before = salts().hash(midnight - timedelta(seconds=1), "u1")
    assert salts().hash_before_change(midnight, "u1") == before
    clock.advance(timedelta(days=31, hours=6).total_seconds())
    own = salts().hash(midnight, "u1")
    assert destroy(store, clock.now()) == 1
    assert salts().hash_before_change(midnight, "u1") is None
    assert salts().hash(midnight, "u1") == own
    store.close()


def test_A004_25_a_worker_goes_on_with_a_destroyed_salt_for_minutes_at_most(
    store: Store, clock: ManualClock
) -> None:
    """Its copy has an age; afterwards events of that window are too late for it as well."""
    salts = Salts(store.state, "events-stats-thing", "hour", clock)
    before = salts.hash(NOON, "u1")
    assert destroy(store, NOON + timedelta(days=40)) == 1
    assert salts.hash(NOON, "u1") == before
    clock.advance(CACHE_SECONDS + 1)
    with pytest.raises(TooLate):
        salts.hash(NOON, "u1")
    store.close()
