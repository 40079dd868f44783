"""Signals of the host: which are recorded, how builders make events of them, what failure costs."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from blinker import NamedSignal, Namespace
from flask import Flask, current_app

from stats_pipeline import current_stats
from stats_pipeline.errors import ConfigurationError
from stats_pipeline.events.builders import build_events
from tests.events.conftest import Thing
from tests.support import Backend, MakeApp, pipeline_of, stored_events

Record = dict[str, Any]
MakeHost = Callable[..., Flask]


def add_value(event: Record, sender: object, *, value: int, **_more: object) -> Record:
    """Store the signal's parameter."""
    return {**event, "item": "x", "value": value}


def add_one(event: Record, sender: object, **_more: object) -> Record:
    """Add one to what the builder before has stored."""
    return {**event, "value": event["value"] + 1}


def name_sender(event: Record, sender: Flask, **_more: object) -> Record:
    """Say which app has sent the signal."""
    return {**event, "item": sender.name}


def fail(event: Record, sender: object, **_more: object) -> Record:
    """Fail as a host's code may."""
    raise RuntimeError("no such file")


@pytest.fixture
def used() -> NamedSignal:
    """Give a signal."""
    return Namespace().signal("used")


@pytest.fixture
def host(backend: Backend, make_app: MakeApp, thing: Thing, used: NamedSignal) -> MakeHost:
    """Give a function that makes a host which records `used` as `thing` with these builders."""

    def make(*builders: Any, signal: Any = used, **settings: Any) -> Flask:
        keys = {"signal": signal, "event_builders": list(builders)}
        events = {"thing": thing(keys=keys)}
        place = (backend.store_url, backend.broker_url)
        return make_app(*place, **{"STATS_EVENTS": events, **settings})

    return make


def recorded(app: Flask, event_type: str = "thing") -> list[int]:
    """Return the values of the recorded events, after processing."""
    pipeline_of(app).process_events()
    return sorted(event["value"] for event in stored_events(pipeline_of(app), event_type))


@pytest.mark.parametrize("mode", ["buffered", "confirmed"])
def test_A004_09_A004_11_B3_builders_run_in_order_on_the_result_of_the_one_before(
    backend: Backend, make_app: MakeApp, thing: Thing, used: NamedSignal, mode: str
) -> None:
    """Two signals with 42: the first builder stores it, the second adds one: 43 twice.

    The third one is given the very sender of the signal.
    """
    keys = {"signal": used, "event_builders": [add_value, add_one, name_sender]}
    app = make_app(
        backend.store_url,
        backend.broker_url,
        STATS_EVENTS={"thing": thing(keys=keys)},
        STATS_PUBLISH=mode,
    )
    used.send(app, value=42)
    used.send(app, value=42)
    assert pipeline_of(app).flush()
    assert recorded(app) == [43, 43]
    assert [event["item"] for event in stored_events(pipeline_of(app), "thing")] == [app.name] * 2


def test_A004_09_the_first_builder_gets_an_empty_event_and_each_gets_sender_and_keywords() -> None:
    """A list goes to the next builder event by event; None and empty events end there."""
    calls: list[tuple[Any, ...]] = []

    def split(event: Record, sender: object, **signal: Any) -> list[Record]:
        calls.append((event, sender, signal))
        return [{"value": 1}, {"value": 2}, {}, {"value": 3}]

    def drop_two(event: Record, sender: object, **signal: Any) -> Record | None:
        calls.append((event, sender, signal))
        return None if event.get("value") == 2 else event

    assert build_events([split, drop_two], "sender", key="k") == [{"value": 1}, {"value": 3}]
    seen = [{}, {"value": 1}, {"value": 2}, {}, {"value": 3}]
    assert calls == [(event, "sender", {"key": "k"}) for event in seen]


def test_A004_09_each_event_of_a_list_that_a_builder_returns_is_recorded(
    host: MakeHost, used: NamedSignal
) -> None:
    """One signal may mean several events."""
    app = host(lambda _event, _sender: [{"value": number} for number in (1, 2, 3)])
    used.send(app)
    assert recorded(app) == [1, 2, 3]


@pytest.mark.parametrize(
    "builders", [[], [lambda _event, _sender: None], [lambda _event, _sender: {}]]
)
def test_A004_12_without_a_result_of_the_builders_nothing_is_published(
    host: MakeHost, used: NamedSignal, builders: list[Any]
) -> None:
    """Also without builders."""
    app = host(*builders)
    used.send(app)
    assert pipeline_of(app).process_events().taken == 0


def test_A004_13_T004_01_each_signal_makes_events_of_its_own_type_by_its_own_builders(
    backend: Backend, make_app: MakeApp, thing: Thing
) -> None:
    """Two event types with two signals never mix, whichever was registered last."""
    signals = Namespace()
    first, second = signals.signal("first"), signals.signal("second")
    app = make_app(
        backend.store_url,
        backend.broker_url,
        STATS_EVENTS={
            "thing": thing(keys={"signal": first, "event_builders": [add_value]}),
            "other": thing(keys={"signal": second, "event_builders": [add_value, add_one]}),
        },
    )
    first.send(app, value=1)
    assert (recorded(app), recorded(app, "other")) == ([1], [])
    second.send(app, value=10)
    assert (recorded(app), recorded(app, "other")) == ([1], [11])


def test_A004_14_receivers_can_be_switched_off(host: MakeHost, used: NamedSignal) -> None:
    """Then signals publish nothing, while `publish` goes on working."""
    app = host(add_value, STATS_RECEIVERS=False)
    used.send(app, value=1)
    pipeline_of(app).publish("thing", [{"value": 2}])
    assert recorded(app) == [2]


@pytest.mark.parametrize("builder", [fail, lambda _event, _sender: "no event"])
def test_A004_15_B4_a_failing_builder_is_logged_once_with_its_cause_and_hurts_nobody(
    host: MakeHost, used: NamedSignal, caplog: pytest.LogCaptureFixture, builder: Any
) -> None:
    """The sender goes on, the queue stays empty, and the next signal is recorded."""
    app = host(lambda event, sender, *, bad=False: builder(event, sender) if bad else {"value": 1})
    with caplog.at_level(logging.INFO):
        used.send(app, bad=True)
    (record,) = [each for each in caplog.records if each.name.startswith("stats_pipeline")]
    assert record.levelno == logging.ERROR
    assert "Error building event thing" in record.message
    assert record.exc_info is not None
    used.send(app)
    assert recorded(app) == [1]


def test_A004_16_signals_of_another_app_are_not_recorded(host: MakeHost, used: NamedSignal) -> None:
    """D22: any sender is accepted unless it is another Flask app, or sends from within one."""
    app, stranger = host(add_value), Flask("stranger")
    used.send(stranger, value=1)
    with stranger.app_context():
        used.send(current_app, value=2)
        used.send("a function of the stranger", value=3)
    used.send(app, value=10)
    used.send("anybody", value=11)
    used.send(value=12)
    with app.app_context():
        used.send(current_app, value=13)
        used.send("a function of ours", value=14)
        assert current_stats.flush()
    assert recorded(app) == [10, 11, 12, 13, 14]


def test_each_app_records_its_own_signals_only(
    host: MakeHost, used: NamedSignal, make_app: MakeApp, thing: Thing, tmp_path: Any
) -> None:
    """Two apps of one process listen to one signal without counting anything twice."""
    keys = {"signal": used, "event_builders": [add_value]}
    first = host(add_value)
    second = make_app(
        f"sqlite:///{tmp_path / 'second.db'}",
        STATS_EVENTS={"thing": {**pipeline_of(first).settings["STATS_EVENTS"]["thing"], **keys}},
    )
    used.send(first, value=1)
    used.send(second, value=2)
    assert (recorded(first), recorded(second)) == ([1], [2])


@pytest.mark.parametrize(
    ("signal", "builder"), [("shop.nowhere.sold", add_value), (None, "shop.nowhere.build")]
)
def test_A004_07_a_wrong_path_of_signal_or_builder_fails_when_the_app_is_set_up(
    host: MakeHost, used: NamedSignal, signal: Any, builder: Any
) -> None:
    """The message names event type and path; nobody has to wait for the first emission."""
    with pytest.raises(ConfigurationError, match=r"event type 'thing' of .*'shop\.nowhere\."):
        host(builder, signal=signal or used)


def test_a_closed_pipeline_listens_no_more(host: MakeHost, used: NamedSignal) -> None:
    """Whoever closes it gets no more events in its queue."""
    app = host(add_value)
    pipeline_of(app).close()
    used.send(app, value=1)
    assert recorded(app) == []


def test_an_event_with_a_wrong_envelope_is_logged_and_hurts_nobody(
    host: MakeHost, used: NamedSignal, caplog: pytest.LogCaptureFixture
) -> None:
    """What `publish` would refuse to a program, a signal must not raise into a request.

    The log names the field, but not its value: that may be somebody's address.
    """
    app = host(lambda _event, _sender, **wrong: {"value": 1, "timestamp": "2016-12-18", **wrong})
    for field in ("timestamp", "event_id", "revision"):
        wrong: Any = {field: ["alice@example.org"]}
        used.send(app, **wrong)
        assert f"it is not recorded, since its field '{field}' is missing" in caplog.text
    assert "alice" not in caplog.text
    used.send(app)
    assert recorded(app) == [1]
