"""Connections to the store that break at any point of a request: done or not, nobody knows."""

import random
import threading
from collections.abc import Callable
from operator import length_hint

import pytest

from stats_pipeline.pipeline import Pipeline
from tests.faults.conftest import Host
from tests.faults.proxy import (
    Action,
    Choose,
    Held,
    Request,
    StoreProxy,
    cut_after,
    dropped,
    each_time,
    items_refused_with,
    passed,
    refused_with,
    timed_out,
)
from tests.faults.traffic import (
    EVENT_INDEX,
    ROW_INDEX,
    STATE_INDEX,
    LaterClock,
    assert_at_rest,
    downloads,
    expected_of,
    portions,
    publish,
)
from tests.support import Backend

EVENTS = 300

#: Not done at all; done, and the answer ends before its first byte, behind it, or in an item.
CUTS: list[Action] = [dropped, cut_after(0), cut_after(1), cut_after(200)]

#: Nobody knows of a lease whose answer was lost: it has to end by itself.
SHORT_LEASE = {"STATS_LEASE_SECONDS": 2}

#: Of the requests of runs in which much goes wrong; what comes in before each, and how many.
FAULTY_SHARE = 0.05
RUN_EVENTS = 100
FAULTY_RUNS = [15, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])]


def process(pipeline: Pipeline) -> str:
    """Process what waits; return the error of the only event type."""
    (report,) = pipeline.process_events().types.values()
    return report.error


def update(pipeline: Pipeline) -> str:
    """Update; return the error of the aggregation."""
    return pipeline.update(["file-download-agg"]).aggregations["file-download-agg"].error


Matches = Callable[[Request], bool]


def documents_in(index: str) -> Matches:
    """Match bulks that write to indices with this in their names."""
    return lambda request: request.writes_to(index)


def records_of(kind: str) -> Matches:
    """Match bulks that write state records of this kind."""
    return lambda request: request.writes_to(STATE_INDEX) and f'"{kind}"'.encode() in request.body


#: What may be cut, and in which kind of work.
BULKS: list[tuple[Matches, Callable[[Pipeline], str]]] = [
    (documents_in(EVENT_INDEX), process),
    (records_of("mark"), process),
    (documents_in(ROW_INDEX), update),
    (records_of("mark"), update),
    (records_of("lease"), update),
]
NAMES = ["events", "marks", "rows", "done", "leases"]


@pytest.mark.parametrize(("matches", "work"), BULKS, ids=NAMES)
def test_a_connection_cut_in_the_middle_of_a_bulk_answer_costs_nothing(
    behind_proxy: Backend,
    store_proxy: StoreProxy,
    host: Host,
    matches: Matches,
    work: Callable[[Pipeline], str],
) -> None:
    """The run says that the store did not answer, and the next one does it once more."""
    first, last = downloads(EVENTS), downloads(EVENTS, first=EVENTS)
    pipeline = host(behind_proxy, **SHORT_LEASE)
    publish(pipeline, first)
    assert process(pipeline) == ""
    assert update(pipeline) == ""
    publish(pipeline, last)
    if work is update:
        assert process(pipeline) == ""
    store_proxy.choose = each_time(matches, cuts := iter(CUTS))
    errors = set()
    while length_hint(cuts):
        errors.add(work(pipeline))
    # A run does several days at the same time, so that one may meet more than one cut.
    assert errors - {""}
    assert all("does not answer" in error for error in errors - {""}), errors
    assert_at_rest(host(behind_proxy, clock=LaterClock()), expected_of(first + last))


@pytest.mark.parametrize("runs", FAULTY_RUNS)
def test_a_store_behind_a_bad_network_ends_in_exact_totals(
    behind_proxy: Backend, store_proxy: StoreProxy, host: Host, seed: int, runs: int
) -> None:
    """Every twentieth request is cut, dropped or refused, whatever it is for."""
    pipeline = host(behind_proxy, **SHORT_LEASE)
    events = downloads(runs * RUN_EVENTS)
    store_proxy.choose = badly(random.Random(seed))
    for portion in portions(events, RUN_EVENTS):
        publish(pipeline, portion)
        process(pipeline)
        update(pipeline)
    store_proxy.choose = lambda _: passed
    assert_at_rest(host(behind_proxy, clock=LaterClock()), expected_of(events))


def badly(chance: random.Random) -> Choose:
    """Choose a fault for some of the requests."""
    lock = threading.Lock()

    def choose(request: Request) -> Action:
        with lock:
            if chance.random() >= FAULTY_SHARE:
                return passed
            faults = [dropped, cut_after(chance.randrange(2_000)), refused_with(503)]
            faults += [refused_with(429)]
            if request.is_bulk:
                faults += [items_refused_with(429, every=chance.randint(1, 5))]
            return chance.choice(faults)

    return choose


@pytest.mark.parametrize(
    ("matches", "work", "tell"),
    [*((*bulk, dropped) for bulk in BULKS), (documents_in(ROW_INDEX), update, timed_out)],
    ids=[*NAMES, "rows-behind-a-gateway"],
)
def test_a_bulk_that_is_done_long_after_its_sender_gave_up_is_not_the_last_word(
    behind_proxy: Backend,
    distributed: Backend,
    store_proxy: StoreProxy,
    host: Host,
    matches: Matches,
    work: Callable[[Pipeline], str],
    tell: Action,
) -> None:
    """A store that was busy does it when others have done it already, with newer events."""
    first, last = downloads(EVENTS), downloads(EVENTS, first=EVENTS)
    slow, other = host(behind_proxy), host(distributed)
    publish(slow, first)
    if work is update:
        assert process(slow) == ""
    late = Held(tell)
    store_proxy.choose = each_time(matches, [late])
    assert work(slow)
    publish(other, last)
    assert process(other) == ""
    assert update(other) == ""
    assert late.let_go() == [200]
    assert_at_rest(host(distributed, clock=LaterClock()), expected_of(first + last))
