"""One line of a log becomes one event, or a reason why not."""

import string
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.contrib.access_log.parser import (
    LONGEST_LINE_BYTES,
    MONTHS,
    MalformedLine,
    parse_line,
)

COMBINED = (
    b'192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /a?q=1 HTTP/1.1" 200 2023 '
    b'"http://example.org/b" "Mozilla/5.0 (X11)"'
)
MONTH_NAMES = {number: name.decode() for name, number in MONTHS.items()}

_words = st.text(string.ascii_letters + string.digits + "-_./:%ü漢", min_size=1)
_zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def escaped(text: str) -> str:
    """Write text as Apache does: quotes, backslashes and control characters are escaped."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(f"\\x{ord(c):02x}" if ord(c) < 32 or ord(c) == 127 else c for c in text)


def written(event: dict[str, Any], local: datetime, query: str) -> bytes:
    """Write an event as a line in combined format."""
    time = f"{local.day:02d}/{MONTH_NAMES[local.month]}/{local:%Y:%H:%M:%S %z}"
    request = escaped(f"{event['method']} {event['path']}{query} HTTP/1.1")
    referrer, agent = (escaped(event.get(name, "-")) for name in ("referrer", "user_agent"))
    host, user = event.get("ip_address", "-"), event.get("user_id", "-")
    return (
        f'{host} - {user} [{time}] "{request}" {event["status"]} {event.get("size", "-")} '
        f'"{referrer}" "{agent}"'
    ).encode()


def test_each_field_of_a_combined_line_is_read() -> None:
    """The query string is left out of the path; the item is the path."""
    assert parse_line(COMBINED) == {
        "timestamp": "2015-05-17T10:05:03+00:00",
        "method": "GET",
        "path": "/a",
        "unique_id": "/a",
        "status": 200,
        "size": 2023,
        "ip_address": "192.0.2.7",
        "referrer": "http://example.org/b",
        "user_agent": "Mozilla/5.0 (X11)",
    }


def test_a_common_line_has_neither_referrer_nor_agent() -> None:
    """The common format ends after the size; a dash is a field that is not known."""
    event = parse_line(b'2001:db8::1 - ann [01/Jan/2024:00:30:00 +0200] "HEAD / HTTP/1.0" 304 -')
    assert event == {
        "timestamp": "2023-12-31T22:30:00+00:00",
        "method": "HEAD",
        "path": "/",
        "unique_id": "/",
        "status": 304,
        "ip_address": "2001:db8::1",
        "user_id": "ann",
    }


@given(
    st.fixed_dictionaries(
        {
            "method": st.sampled_from(["GET", "POST", "PROPFIND"]),
            "path": st.text(
                st.characters(exclude_categories=["Cs", "Z"], exclude_characters="?")
            ).map(lambda text: "/" + text.strip()),
            "status": st.integers(100, 599),
        },
        optional={
            "ip_address": st.one_of(st.ip_addresses().map(str), st.just("crawl-7.example.org")),
            "user_id": _words.filter(lambda word: word != "-"),
            "size": st.integers(0, 10**15),
            "referrer": st.text(st.characters(exclude_categories=["Cs"]), min_size=2),
            "user_agent": st.text(st.characters(exclude_categories=["Cs"]), min_size=2),
        },
    ),
    st.datetimes(datetime(1990, 1, 1), datetime(2999, 1, 1)),  # noqa: DTZ001
    _zones,
    st.sampled_from(["", "?", "?a=b&c", "?x=1?y"]),
)
def test_what_a_server_wrote_is_read_back(
    event: dict[str, Any], naive: datetime, zone: timezone, query: str
) -> None:
    """Writing an event as a line and reading the line gives the event back, in UTC."""
    local = naive.replace(microsecond=0, tzinfo=zone)
    expected = {
        **event,
        "unique_id": event["path"],
        "timestamp": local.astimezone(UTC).isoformat(),
    }
    assert parse_line(written(event, local, query)) == expected


@given(st.binary(max_size=300))
def test_no_line_however_odd_is_more_than_malformed(noise: bytes) -> None:
    """A line is an event or a MalformedLine, never another error."""
    for line in (noise, COMBINED[:40] + noise, COMBINED.replace(b"/a?q=1", noise)):
        try:
            event = parse_line(line)
        except MalformedLine:
            continue
        for value in event.values():
            str(value).encode()  # no lone surrogates, which no store would take


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (COMBINED[:-1], "a quoted field has no end"),
        (b"", "not in common or combined"),
        (b"ERROR 2015-05-17 something failed", "not in common or combined"),
        (COMBINED.replace(b"17/May", b"31/Feb"), "time does not exist"),
        (COMBINED.replace(b"17/May", b"17/Foo"), "time does not exist"),
        (COMBINED.replace(b"10:05", b"25:05"), "time does not exist"),
        (COMBINED.replace(b"+0000", b"+9900"), "time does not exist"),
        (COMBINED.replace(b"GET /a?q=1 HTTP/1.1", b"-"), "not METHOD PATH PROTOCOL"),
        (COMBINED.replace(b"GET /a?q=1 HTTP/1.1", b"\\x16\\x03\\x01"), "not METHOD PATH"),
        (COMBINED.replace(b"GET /a?q=1 HTTP/1.1", b"GET ?q HTTP/1.1"), "not METHOD PATH"),
        (b"www.example.org:80 " + COMBINED, "a word too many"),
        (COMBINED.replace(b"X11", b"x" * LONGEST_LINE_BYTES), "longer than 65536 bytes"),
    ],
)
def test_a_malformed_line_says_what_is_wrong_with_it(line: bytes, reason: str) -> None:
    """Each way of being malformed has a reason that a person can act on."""
    with pytest.raises(MalformedLine, match=reason):
        parse_line(line)


def test_bytes_that_are_not_utf_8_stay_apart() -> None:
    """Paths that differ in an odd byte are different paths, raw or escaped."""
    paths = {
        parse_line(COMBINED.replace(b"/a?q=1", path))["path"]
        for path in (b"/\xff", b"/\xfe", b"/\\xfd", "/ü".encode())
    }
    assert paths == {"/\\xff", "/\\xfe", "/\\xfd", "/ü"}


def test_a_path_with_spaces_and_one_without_protocol_are_read() -> None:
    """Clients that don't encode spaces, and HTTP/0.9, are still requests."""
    assert parse_line(COMBINED.replace(b"/a?q=1", b"/a b"))["path"] == "/a b"
    assert parse_line(COMBINED.replace(b"/a?q=1 HTTP/1.1", b"/a"))["path"] == "/a"


def test_what_follows_the_agent_is_not_read() -> None:
    """Servers append times and addresses; the line is still combined."""
    assert parse_line(COMBINED + b' "203.0.113.9" 0.004') == parse_line(COMBINED)


def test_a_user_name_may_have_spaces() -> None:
    """What the server has authenticated is written as it is."""
    assert parse_line(COMBINED.replace(b"- - [", b"- ann lee ["))["user_id"] == "ann lee"
