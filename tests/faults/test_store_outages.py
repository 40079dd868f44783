"""The store stopped, overloaded or behind a bad network: the queue keeps everything meanwhile."""

from itertools import repeat

import pytest

from tests.faults.conftest import Host
from tests.faults.proxy import (
    Action,
    StoreProxy,
    dropped,
    each_time,
    items_refused_with,
    passed,
    refused_with,
)
from tests.faults.traffic import (
    AGGREGATION,
    EVENT_INDEX,
    EVENT_TYPE,
    ImpatientClock,
    assert_at_rest,
    downloads,
    expected_of,
    publish,
)
from tests.services import PrivateServer
from tests.support import Backend

#: The peer loses half of a queue in so many runs.
RUNS = 3

EVENTS = 600

#: Gone, overloaded as a whole, without a master, and too busy for any single document.
FAULTS: list[Action] = [
    dropped,
    refused_with(429),
    refused_with(503),
    items_refused_with(429, every=1),
]


@pytest.mark.timeout(300)
def test_W8_a_store_that_is_down_for_several_runs_costs_nothing(
    amqp_url: str, private_elasticsearch: PrivateServer, host: Host
) -> None:
    """Killed with half of the events in it: what was acknowledged is there, the rest is queued."""
    pipeline = host(Backend(private_elasticsearch.url, amqp_url))
    events = downloads(2 * EVENTS)
    publish(pipeline, events[:EVENTS])
    assert pipeline.process_events().indexed == EVENTS
    private_elasticsearch.kill()
    publish(pipeline, events[EVENTS:])
    for _ in range(RUNS):
        report = pipeline.process_events().types[EVENT_TYPE]
        assert (report.taken, "is it running" in report.error) == (0, True)
        assert "is it running" in pipeline.update().aggregations[AGGREGATION].error
    private_elasticsearch.start()
    assert_at_rest(pipeline, expected_of(events))


def test_W8_writes_refused_for_several_runs_cost_nothing(
    behind_proxy: Backend, store_proxy: StoreProxy, host: Host
) -> None:
    """Each report says so; when the store takes writes again, all is there."""
    pipeline = host(behind_proxy, clock=ImpatientClock())
    events = downloads(EVENTS)
    publish(pipeline, events)
    for fault in FAULTS * RUNS:
        store_proxy.choose = each_time(
            lambda request: request.writes_to(EVENT_INDEX), repeat(fault)
        )
        report = pipeline.process_events().types[EVENT_TYPE]
        assert (report.taken, bool(report.error)) == (0, True)
    store_proxy.choose = lambda _: passed
    assert_at_rest(pipeline, expected_of(events))


def test_items_of_a_bulk_refused_for_now_are_sent_again_alone(
    behind_proxy: Backend, store_proxy: StoreProxy, host: Host
) -> None:
    """Every second, then every third event, meets 429; one run stores all of them."""
    pipeline = host(behind_proxy, clock=ImpatientClock())
    events = downloads(EVENTS)
    publish(pipeline, events)
    faults = [items_refused_with(429, every=2), items_refused_with(429, every=3)]
    store_proxy.choose = each_time(lambda request: request.writes_to(EVENT_INDEX), faults)
    assert pipeline.process_events().indexed == EVENTS
    sent = [r.body.count(b"\n") // 2 for r in store_proxy.requests if r.writes_to(EVENT_INDEX)]
    assert sent == [EVENTS, EVENTS // 2, EVENTS // 6]
    assert_at_rest(pipeline, expected_of(events))


def test_an_event_type_whose_index_is_not_served_now_hides_no_other_in_the_status(
    behind_proxy: Backend, store_proxy: StoreProxy, host: Host
) -> None:
    """One index without its shards is no outage of the store."""
    pipeline = host(behind_proxy, STATS_EVENTS={EVENT_TYPE: {}, "record-view": {}})
    publish(pipeline, downloads(10))
    assert pipeline.process_events().indexed == 10
    store_proxy.choose = each_time(
        lambda request: EVENT_TYPE in request.path and "_refresh" in request.path,
        repeat(refused_with(503)),
    )
    found = pipeline.status()
    (why,) = found["errors"]
    assert found["events"][EVENT_TYPE]["stored_events"] == {"error": why}
    assert found["events"][EVENT_TYPE]["waiting_messages"] == 0
    assert found["events"]["record-view"]["stored_events"] == 0
    assert found["runs"][0]["done"]["indexed"] == 10
    assert found["aggregations"][AGGREGATION]["dirty_intervals"] == 3
