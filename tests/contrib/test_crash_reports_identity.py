"""Which reports are one: those of one kind, device and event time, whenever they arrive."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stats_pipeline.errors import InvalidEvent
from stats_pipeline.pipeline import Pipeline
from tests.contrib.crash_reports import (
    REPORT,
    counts,
    crash,
    heartbeat,
    process,
    rows,
    take,
)
from tests.support import stored_events

DAILY = f"{REPORT}-build-day-agg"

#: What makes a report wrong -> kind and error of its dead letter.
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"device_id": ""}, "invalid", "device_id is text or a whole number, not ''"),
    ({"device_id": None}, "invalid", "device_id is text or a whole number, not 'None'"),
    ({"device_id": ["A"]}, "invalid", "device_id is text or a whole number, not \"['A']\""),
    ({"device_id": True}, "invalid", "device_id is text or a whole number, not 'True'"),
    ({"device_id": 1.5}, "invalid", "device_id is text or a whole number, not '1.5'"),
    ({}, "preprocessor", "lacks the field 'device_id'"),
    (
        {"device_id": "A", "kind": "reboot"},
        "invalid",
        "kind is 'heartbeat' or 'crash', not 'reboot'",
    ),
    ({"device_id": "A", "kind": None}, "invalid", "kind is 'heartbeat' or 'crash', not 'None'"),
    ({"device_id": "A", "boot_reason": "x"}, "invalid", "boot_reason is of a report of the kind"),
    ({"device_id": "A", "timestamp": "2038-01-19"}, "invalid", "2038-01-19"),
    ({"device_id": "A", "timestamp": "1970-01-01"}, "invalid", "1970-01-01"),
]


def heartbeats(server: Pipeline) -> dict[str, int]:
    """Return day -> heartbeats, after an update."""
    assert server.update([DAILY]).is_complete
    return {row["start"][:10]: row["heartbeats"] for row in rows(server, DAILY)}


def test_A000_38_A000_39_a_copy_counts_once_for_ever(server: Pipeline) -> None:
    """T000-01, T000-02: in the same run, in a later one, after a reset; two devices are two.

    A000-20: a time of another zone is the same moment. A crash report at that time is another one.
    """
    time = "2019-03-01T10:00:00.000Z"
    report = take(server, [heartbeat("A", time), heartbeat("A", time)])
    assert (report.indexed, report.duplicates) == (1, 1)
    assert heartbeats(server) == {"2019-03-01": 1}
    report = take(server, [heartbeat("A", "2019-03-01T11:00:00+01:00")])
    assert (report.indexed, report.duplicates) == (0, 1)
    assert heartbeats(server) == {"2019-03-01": 1}
    assert server.reset([DAILY]).is_complete
    assert heartbeats(server) == {"2019-03-01": 1}
    take(server, [heartbeat("B", time), heartbeat("A", "2019-03-01T10:00:00.001Z")])
    assert heartbeats(server) == {"2019-03-01": 3}
    assert take(server, [crash("A", time)]).indexed == 1


def test_A000_40_a_copy_never_enters_the_store_and_its_sender_succeeds(server: Pipeline) -> None:
    """The report of the run says how many there were (it stands for a line in a log).

    A time that is a plain date makes it at most one heartbeat for each device and day.
    """
    days = ["2019-02-27", "2019-02-28", "2019-02-28"]
    server.publish(REPORT, [heartbeat(device, day) for day in days for device in "AB"])
    server.publish(REPORT, [heartbeat("A", "2019-02-28")])
    report = process(server).types[REPORT]
    assert (report.taken, report.indexed, report.duplicates, report.dead) == (7, 4, 3, 0)
    stored = stored_events(server, REPORT)
    assert [event["timestamp"][:10] for event in stored] == sorted(days[:2] * 2)
    assert len({event["event_id"] for event in stored}) == 4
    assert heartbeats(server) == {"2019-02-27": 2, "2019-02-28": 2}


def test_reports_are_imported_as_devices_send_them(server: Pipeline) -> None:
    """Without an event id; one that came by the queue, too, is known, and an undo leaves it."""
    sent = [heartbeat("A", "2019-03-01T10:00"), heartbeat("B", "2019-03-01T11:00")]
    take(server, sent[:1])
    lines = list(enumerate((json.dumps(report).encode() for report in sent), start=1))
    for added in (1, 0):
        report = server.moving.importing("phones", REPORT).take("lines", lines)
        assert (report.added, report.known, report.bad) == (added, 2 - added, 0)
    assert heartbeats(server) == {"2019-03-01": 2}
    assert server.moving.undo_import("phones").removed == 1
    assert heartbeats(server) == {"2019-03-01": 1}


def test_the_device_itself_is_not_stored(embedded_server: Pipeline) -> None:
    """What is stored says neither which device it was nor which reports are of one device."""
    take(embedded_server, [heartbeat("IMEI-1", f"2019-03-01T1{n}:00") for n in range(2)])
    first, second = stored_events(embedded_server, REPORT)
    assert "IMEI-1" not in str(first)
    assert first["event_id"] != second["event_id"]


def test_a_correction_takes_the_place_of_the_report(server: Pipeline) -> None:
    """It repeats device and time with a higher revision; as a withdrawal it takes it back."""
    time = "2019-03-01T10:00"
    own = {"event_id": "as the sender likes"}
    take(server, [heartbeat("A", time), heartbeat("B", time)])
    take(server, [heartbeat("A", time, "B2", revision=1, **own)])
    take(server, [heartbeat("B", time, revision=1, withdrawn=True, **own)])
    assert server.update([DAILY]).is_complete
    found = [(row["build_fingerprint"], row["heartbeats"]) for row in rows(server, DAILY)]
    assert found == [("B2", 1)]


def test_A000_47_a_report_that_can_not_be_placed_is_a_dead_letter(server: Pipeline) -> None:
    """T000-13: also one of a wrong clock, which would be the first day of its build for ever."""
    wrong = [event for event, _, _ in WRONG]
    event = {"kind": "heartbeat", "timestamp": "2019-03-01T10:00", "build_fingerprint": "B1"}
    good = heartbeat("A", "2019-03-01T10:00")
    assert take(server, [*({**event, **each} for each in wrong), good]).dead == len(WRONG)
    letters = server.dead_letters.list()
    assert len(letters) == len(WRONG)
    for _, kind, error in WRONG:
        assert any(letter.kind == kind and error in letter.error for letter in letters), error
    assert heartbeats(server) == {"2019-03-01": 1}


@pytest.mark.parametrize("field", ["kind", "build_fingerprint", "radio_version", "boot_reason"])
def test_A000_26_a_report_with_a_list_is_a_dead_letter(server: Pipeline, field: str) -> None:
    """It would be in several counters of a row, or in the rows of thousands of versions."""
    lists = [["UNKNOWN", "RTC alarm"], ["UNKNOWN"], []]
    time = "2019-03-01T10:00"
    wrong = [{**crash(f"{number}", time), field: each} for number, each in enumerate(lists)]
    report = take(server, [*wrong, crash("A", time)])
    assert (report.indexed, report.dead) == (1, len(lists))
    for letter in server.dead_letters.list():
        assert letter.kind == "invalid"
        assert f"{field} is one value, not the list" in letter.error
    names = [f"{REPORT}-{short}-day-agg" for short in ("build", "radio")]
    assert server.update(names).is_complete
    found = [row for name in names for row in rows(server, name)]
    assert [(row["count"], *counts(row)) for row in found] == [(1, 0, 1, 0, 0)] * 2


def test_A000_47_a_time_that_is_none_is_refused_at_once(embedded_server: Pipeline) -> None:
    """No day is ever guessed from what the sender says."""
    with pytest.raises(InvalidEvent, match="'yesterday' is not an ISO 8601 time"):
        embedded_server.publish(REPORT, [heartbeat("A", "yesterday")])
