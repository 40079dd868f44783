"""Downloads and views: a host's signal becomes an event, and the event a number."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from stats_pipeline import current_stats
from stats_pipeline.contrib.file_download.builders import build_file_download
from stats_pipeline.contrib.file_download.signals import file_downloaded
from stats_pipeline.contrib.record_view.builders import build_record_view
from stats_pipeline.contrib.record_view.signals import record_viewed
from stats_pipeline.events.user import add_user
from tests.support import BROWSER, ROBOT, Backend, MakeApp, pipeline_of, stored_events

#: What the preprocessors say of who acted.
VISITOR = ("visitor_id", "unique_session_id")


@dataclass
class File:
    """Be a file as hosts have them: with numbers for ids."""

    bucket_id: int = 20
    file_id: int = 7
    key: str = "file1.txt"
    size: int | None = 1_000


@dataclass
class Pid:
    """Be a persistent identifier."""

    pid_type: str = "recid"
    pid_value: int = 42


@dataclass
class Record:
    """Be a record."""

    id: int = 9


@pytest.fixture
def host(backend: Backend, make_app: MakeApp) -> Flask:
    """Give a host that counts downloads and views, on both stores and queues."""
    events: dict[str, Any] = {"file-download": {}, "record-view": {}}
    return make_app(backend.store_url, backend.broker_url, STATS_EVENTS=events)


def test_A004_10_B5_a_download_has_its_time_and_its_file_as_text() -> None:
    """Ids that are numbers in the host are text in the event; the time is ISO 8601 in UTC."""
    before = datetime.now(UTC)
    event = build_file_download({}, None, obj=File(), other="ignored")
    time = datetime.fromisoformat(event.pop("timestamp"))
    assert time.utcoffset() is not None
    assert before <= time <= datetime.now(UTC)
    assert event == {"bucket_id": "20", "file_id": "7", "file_key": "file1.txt", "size": 1_000}


def test_a_file_of_unknown_size_has_none() -> None:
    """A size of 0 is known, one that is missing is not."""
    assert "size" not in build_file_download({}, None, obj=File(size=None))
    assert build_file_download({}, None, obj=File(size=0))["size"] == 0


def test_B5_a_view_has_its_time_and_its_record_as_text() -> None:
    """The identifier by which it was asked for is there beside the record's own id."""
    event = build_record_view({}, None, pid=Pid(), record=Record(), other="ignored")
    assert datetime.fromisoformat(event.pop("timestamp")).utcoffset() is not None
    assert event == {"record_id": "9", "pid_type": "recid", "pid_value": "42"}


def test_A004_10_B5_the_user_part_is_that_of_the_request(
    make_standalone: Callable[..., Flask],
) -> None:
    """Address, agent and user come from the request; the user from the host's own word."""
    app = make_standalone(STATS_IDENTITY=lambda: 5)
    environment = {"REMOTE_ADDR": "192.0.2.7"}
    with app.test_request_context(headers={"User-Agent": BROWSER}, environ_base=environment):
        event = add_user({"kept": 1}, app)
    assert event == {
        "kept": 1,
        "ip_address": "192.0.2.7",
        "user_agent": BROWSER,
        "user_id": "5",
    }


def test_nobody_is_known_outside_of_a_request(app: Flask) -> None:
    """A signal of a background job has no user part, and nothing is made up."""
    assert add_user({}, app) == {}


@pytest.mark.parametrize(
    ("signal", "sent", "query", "params", "expected"),
    [
        (
            file_downloaded,
            {"obj": File()},
            "bucket-file-download-histogram",
            {"bucket_id": 20, "file_key": "file1.txt"},
            {
                "bucket_id": "20",
                "file_id": "7",
                "file_key": "file1.txt",
                "size": 1_000,
                "unique_id": "20_7",
            },
        ),
        (
            record_viewed,
            {"pid": Pid(), "record": Record()},
            "record-view-histogram",
            {"pid_type": "recid", "pid_value": 42},
            {
                "record_id": "9",
                "pid_type": "recid",
                "pid_value": "42",
                "unique_id": "recid_42",
            },
        ),
    ],
)
def test_A004_26_B5_signals_of_two_visitors_become_a_number(
    host: Flask,
    signal: Any,
    sent: dict[str, Any],
    query: str,
    params: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    """From the shipped signal through the shipped registrations to the shipped query.

    Stored are texts for ids, the item, and the page that the request came from, where it says so.
    The third request is a robot's.
    """
    referrer = {"Referer": "http://example.org/"}
    for address, agent, more in [
        ("192.0.2.7", BROWSER, referrer),
        ("192.0.2.8", BROWSER, {}),
        ("192.0.2.7", ROBOT, {}),
    ]:
        with host.test_request_context(
            headers={"User-Agent": agent, **more}, environ_base={"REMOTE_ADDR": address}
        ):
            signal.send(host, **sent)
    with host.app_context():
        assert current_stats.process_events().indexed == 3
        current_stats.update()
        answer = current_stats.query(query, **params)
    assert sum(bucket["value"] for bucket in answer["buckets"]) == 2
    event_type = "file-download" if signal is file_downloaded else "record-view"
    stored = stored_events(pipeline_of(host), event_type)
    assert sorted(event["is_robot"] for event in stored) == [False, False, True]
    assert {event.get("referrer") for event in stored} == {"http://example.org/", None}
    own = {"event_id", "timestamp", "received_at", "is_robot", "referrer", *VISITOR}
    for event in stored:
        assert {name: event[name] for name in event.keys() - own} == expected


def test_totals_add_up_what_the_histograms_show(app: Flask) -> None:
    """Downloads by file of a bucket, with bytes; views of one record."""
    start = "2016-12-18T10:00:00Z"
    download = {"bucket_id": "20", "user_agent": BROWSER, "timestamp": start}
    current_stats.publish(
        "file-download",
        [
            {**download, "file_id": "1", "file_key": "a", "size": 10, "user_id": "u1"},
            {**download, "file_id": "1", "file_key": "a", "size": 10, "user_id": "u2"},
            {**download, "file_id": "2", "file_key": "b", "size": 5, "user_id": "u1"},
        ],
    )
    view = {"record_id": "9", "pid_type": "recid", "pid_value": "42", "user_agent": BROWSER}
    current_stats.publish("record-view", [{**view, "timestamp": start, "user_id": "u1"}])
    current_stats.process_events()
    current_stats.update()
    files = current_stats.query("bucket-file-download-total", bucket_id="20")["buckets"]
    assert [(file["key"], file["value"], file["volume"]) for file in files] == [
        ("a", 2, 20),
        ("b", 1, 5),
    ]
    total = current_stats.query("record-view-total", pid_type="recid", pid_value="42")
    assert total["value"] == 1
