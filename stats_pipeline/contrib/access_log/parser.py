"""One line of an access log, in common or combined format, as an event.

Pure: no I/O. What follows the agent in a line (a time taken, a forwarded address) is not read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

#: A longer line is no request that a server wrote; both Apache and nginx refuse to read 16 kB.
LONGEST_LINE_BYTES = 65_536

#: English, whatever the locale of this process is.
MONTHS = {
    name: number
    for number, name in enumerate(
        b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1
    )
}

# The possessive quantifiers keep the time linear in the line's length, however odd the line is.
_QUOTED = rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_TIME = rb"\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d\d)(\d\d)\]"
_LINE = re.compile(
    rb"(\S+) \S+ (.+?) " + _TIME + rb" " + _QUOTED + rb" (\d{3}) (\d{1,18}|-)"
    rb"(?: " + _QUOTED + rb" " + _QUOTED + rb"(?: .*)?)?",
    re.DOTALL,
)
_REQUEST = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\s?][^?]*?)(?:\?.*?)?(?: HTTP/\d(?:\.\d)?)?", re.DOTALL
)
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([\"\\bnrtv]))")
_ESCAPED = {b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class MalformedLine(ValueError):
    """Say why a line is not a request in common or combined log format."""


def parse_line(line: bytes) -> dict[str, Any]:
    r"""Return the event of a line, without an `event_id`; what the line leaves out is left out.

    Text is UTF-8; bytes that are not are written as ``\xhh``, so that different lines stay
    different. The query string of a request is not kept.

    Args:
        line: without its end-of-line.

    Raises:
        MalformedLine: with the reason.
    """
    if len(line) > LONGEST_LINE_BYTES:
        raise MalformedLine(f"it is longer than {LONGEST_LINE_BYTES} bytes")
    match = _LINE.fullmatch(line)
    if match is None:
        raise MalformedLine(_why_no_match(line))
    host, user, *time, request, status, size, referrer, agent = match.groups()
    method, path = _parse_request(_text(request))
    event: dict[str, Any] = {
        "timestamp": _parse_time(time),
        "method": method,
        "path": path,
        "unique_id": path,
        "status": int(status),
    }
    optional = {
        "ip_address": _text(host),
        "user_id": _parse_user(user),
        "referrer": _text(referrer or b""),
        "user_agent": _text(agent or b""),
    }
    event |= {name: value for name, value in optional.items() if value not in ("", "-")}
    if size != b"-":
        event["size"] = int(size)
    return event


def _parse_request(request: str) -> tuple[str, str]:
    match = _REQUEST.fullmatch(request)
    if match is None:
        raise MalformedLine(f"its request {request[:60]!r} is not METHOD PATH PROTOCOL")
    return match[1], match[2]


def _parse_user(user: bytes) -> str:
    if user.startswith(b"- "):
        raise MalformedLine("it has a word too many before the time (a virtual host?)")
    return "" if user == b'""' else _text(user)


def _parse_time(parts: Sequence[bytes]) -> str:
    day, month, year, hour, minute, second, zone_hours, zone_minutes = parts
    sign = -1 if zone_hours.startswith(b"-") else 1
    offset = timedelta(hours=int(zone_hours), minutes=sign * int(zone_minutes))
    try:
        month_start = datetime(int(year), MONTHS[month], 1, tzinfo=timezone(offset))
        local = month_start.replace(
            day=int(day), hour=int(hour), minute=int(minute), second=int(second)
        )
        return local.astimezone(UTC).isoformat()
    except (ValueError, KeyError, OverflowError):
        raise MalformedLine("its time does not exist") from None


def _text(field: bytes) -> str:
    if b"\\" in field:
        field = _ESCAPE.sub(_unescape, field)
    return field.decode("utf-8", "backslashreplace")


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes([int(match[1], 16)])
    return _ESCAPED.get(match[2], match[2])


def _why_no_match(line: bytes) -> str:
    if line.replace(b"\\\\", b"").replace(b'\\"', b"").count(b'"') % 2:
        return "a quoted field has no end (was the line cut off?)"
    return "it is not in common or combined log format"
