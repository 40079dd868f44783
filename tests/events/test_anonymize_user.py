"""Who is one visitor, for how long, and that nothing stored tells who it was."""

import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.events.identity import digest, visitor_parts
from stats_pipeline.events.preprocessors import anonymize_user, flag_robots
from stats_pipeline.pipeline import Pipeline
from tests.events.conftest import ThingPipeline
from tests.support import E004_EVENTS, Backend, MakePipeline, stored_documents, stored_events

SECRETS = {
    "ip_address": "203.0.113.77",
    "user_agent": "Unmistakable-Agent/1.0",
    "user_id": "unmistakable-user",
    "session_id": "unmistakable-session",
}
NOON, EVENING, NEXT_DAY = "2018-01-01T12:00:00", "2018-01-01T21:00:00", "2018-01-02T12:00:00"


def ids_of(
    pipeline: Pipeline, events: Sequence[dict[str, Any]], key: str = "visitor_id"
) -> list[str]:
    """Return the visitor ids (or other ids) of these events, in their order."""
    batch = secrets.token_hex(4)
    numbered = [
        {"timestamp": NOON, **event, "item": batch, "value": number}
        for number, event in enumerate(events)
    ]
    pipeline.publish("thing", numbered)
    assert pipeline.process_events().indexed == len(events)
    stored = [event for event in stored_events(pipeline, "thing") if event.get("item") == batch]
    return [event[key] for event in sorted(stored, key=lambda event: int(event["value"]))]


@pytest.fixture
def pipeline(thing_pipeline: ThingPipeline) -> Pipeline:
    """Give a pipeline that makes visitors anonymous."""
    return thing_pipeline(preprocessors=[flag_robots, anonymize_user])


def test_A004_23_B11_raw_fields_are_replaced_by_ids(pipeline: Pipeline) -> None:
    """Address, agent, user and session are gone; two ids of 32 hexadecimal characters are there."""
    pipeline.publish("thing", [{"value": 1, **SECRETS}])
    pipeline.process_events()
    (document,) = stored_documents(pipeline, "thing")
    assert set(document.body) == {
        "event_id",
        "timestamp",
        "received_at",
        "value",
        "is_robot",
        "visitor_id",
        "unique_session_id",
    }
    assert not any(secret in str(document) for secret in SECRETS.values())
    assert len({document.body["visitor_id"], document.body["unique_session_id"]}) == 2
    assert {len(document.body[key]) for key in ("visitor_id", "unique_session_id")} == {32}


def test_A004_23_nothing_in_the_file_of_the_embedded_pair_can_be_read_back(
    embedded: Backend, make_pipeline: MakePipeline, tmp_path: Path
) -> None:
    """After processing and a checkpoint no byte of it is there, nor in the queue's deleted rows."""
    pipeline = make_pipeline(embedded)
    pipeline.publish("file-download", [{**event, **SECRETS} for event in E004_EVENTS] * 50)
    path = tmp_path / "stats.db"
    assert _secrets_in(path) == set(SECRETS), "the queue holds raw data until it is processed"
    pipeline.process_events()
    pipeline.close()
    assert _secrets_in(path) == set()
    assert [each.name for each in tmp_path.glob("stats.db*")] == ["stats.db"]


def _secrets_in(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    content = path.read_bytes()
    return {name for name, secret in SECRETS.items() if secret.encode() in content}


def test_A004_25_B12_one_person_has_one_id_a_day(pipeline: Pipeline) -> None:
    """At noon and in the evening the same, on the next day another; sessions differ by hour."""
    user = [{"user_id": "u1", "timestamp": time} for time in (NOON, EVENING, NEXT_DAY)]
    noon, evening, next_day = ids_of(pipeline, user)
    assert noon == evening != next_day
    assert len(set(ids_of(pipeline, user, "unique_session_id"))) == 3


@pytest.mark.parametrize(
    ("window", "same", "other"),
    [
        ("hour", "2018-01-01T12:59:59.999", "2018-01-01T13:00:00"),
        ("week", "2018-01-07T23:59:59.999", "2018-01-08T00:00:00"),
        ("month", "2018-01-31T23:59:59.999", "2018-02-01T00:00:00"),
        ("quarter", "2018-03-31T23:59:59.999", "2018-04-01T00:00:00"),
        ("year", "2018-12-31T23:59:59.999", "2019-01-01T00:00:00"),
        ("forever", "2025-01-01T00:00:00", None),
    ],
)
def test_A004_25_the_salt_window_says_how_long_an_id_stays(
    embedded_pipeline: ThingPipeline, window: str, same: str, other: str | None
) -> None:
    """D10: it is a setting of the event type; windows begin where calendar intervals do."""
    pipeline = embedded_pipeline(preprocessors=[anonymize_user], salt_window=window)
    times = [time for time in (NOON, same, other) if time]
    noon, later, *after = ids_of(pipeline, [{"user_id": "u1", "timestamp": t} for t in times])
    assert noon == later
    assert noon not in after


#: The rows of B11 by name; those without a time are at noon.
U1, CLIENT = {"user_id": "u1"}, {"ip_address": "1.1.1.1", "user_agent": "A"}
B11_ROWS = {
    "user": {**U1, **CLIENT, "session_id": "s1"},
    "user elsewhere": {**U1, "session_id": "s2", "ip_address": "2.2.2.2", "user_agent": "B"},
    "user 15:00": {**U1, "timestamp": "2018-01-01T15:00:00"},
    "user 15:30": {**U1, "timestamp": "2018-01-01T15:30:00"},
    "session": {**CLIENT, "session_id": "s1"},
    "session elsewhere": {"session_id": "s1", "user_agent": "B"},
    "other session": {**CLIENT, "session_id": "s2"},
    "client": CLIENT,
    "same client": CLIENT,
    "client 15:00": {**CLIENT, "timestamp": "2018-01-01T15:00:00"},
    "other agent": {**CLIENT, "user_agent": "B"},
    "other address": {**CLIENT, "ip_address": "2.2.2.2"},
    "address only": {"ip_address": "1.1.1.1"},
    "other address only": {"ip_address": "2.2.2.2"},
    "agent only": {"user_agent": "A"},
}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (
            "visitor_id",
            [
                {"user", "user elsewhere", "user 15:00", "user 15:30"},
                {"session", "session elsewhere"},
                {"client", "same client", "client 15:00"},
            ],
        ),
        (
            "unique_session_id",
            [
                {"user", "user elsewhere"},
                {"user 15:00", "user 15:30"},
                {"session", "session elsewhere"},
                {"client", "same client"},
            ],
        ),
    ],
)
def test_B11_user_then_session_then_address_and_agent_identify(
    pipeline: Pipeline, key: str, expected: list[set[str]]
) -> None:
    """D23: the first that is known decides, and what comes after it changes nothing.

    The id of the session changes with the hour as well, that of the visitor does not.
    """
    together: dict[str, set[str]] = {}
    for name, found in zip(B11_ROWS, ids_of(pipeline, list(B11_ROWS.values()), key), strict=True):
        together.setdefault(found, set()).add(name)
    assert [names for names in together.values() if len(names) > 1] == expected


def test_W14_fifty_addresses_are_fifty_visitors(pipeline: Pipeline) -> None:
    """Also without agent, session and user; at another hour each is still the same."""
    addresses = [{"ip_address": f"203.0.113.{number}"} for number in range(50)]
    ids = ids_of(pipeline, addresses)
    assert len(set(ids)) == 50
    evening = [{**address, "timestamp": EVENING} for address in addresses]
    assert ids_of(pipeline, evening) == ids


def test_T004_06_visitors_of_whom_nothing_is_known_are_never_one(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """They don't merge within a window either."""
    pipeline = make_pipeline(embedded)
    file = {"bucket_id": "20", "file_id": "f-1", "timestamp": NOON}
    pipeline.publish("file-download", [file] * 20)
    assert pipeline.process_events().indexed == 20
    assert len({event["visitor_id"] for event in stored_events(pipeline)}) == 20


@given(st.lists(st.lists(st.none() | st.text(), max_size=3), min_size=2, max_size=2))
def test_W14_parts_of_an_identity_are_kept_apart(pair: list[list[str | None]]) -> None:
    """Equal only if all parts are: 'a', 'bc' is not 'ab', 'c'; nothing is not an empty text."""
    one, other = pair
    assert (digest(*one) == digest(*other)) is (one == other)


def test_W14_address_and_agent_are_kept_apart(pipeline: Pipeline) -> None:
    """And a user is not a session of the same name."""
    ids = ids_of(
        pipeline,
        [
            {"ip_address": "a", "user_agent": "bc"},
            {"ip_address": "ab", "user_agent": "c"},
            {"ip_address": "abc"},
            {"user_agent": "abc"},
            {"session_id": "abc"},
            {"user_id": "abc"},
        ],
    )
    assert len(set(ids)) == 6


@pytest.mark.parametrize("user", [0, "", 7, True])
def test_a_user_id_is_one_whatever_its_type(user: Any) -> None:
    """Only None means that there is no user: the first user of a host may have the id 0."""
    event = {"user_id": user, "session_id": "s"}
    assert visitor_parts(event) == ("user", str(user))
