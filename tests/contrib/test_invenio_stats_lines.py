"""Whatever stands in a line of an export, it is an event that can be published, or malformed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.contrib.invenio_stats.event_lines import (
    LONGEST_EVENT_ID,
    RESERVED,
    MalformedLine,
    event_id_of,
    parse_line,
)
from stats_pipeline.events.envelope import complete

NOW = datetime(2026, 1, 2, tzinfo=UTC)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TIMES = st.datetimes(timezones=st.none() | st.timezones()).map(datetime.isoformat)
SOURCES = st.fixed_dictionaries(
    {"timestamp": TIMES | JSON},
    optional={"_id": JSON, "visitor_id": JSON, "revision": JSON, "event_id": JSON, "size": JSON},
)
HITS = st.fixed_dictionaries({"_source": SOURCES | JSON}, optional={"_id": st.text() | JSON})


@given((SOURCES | HITS | JSON).map(lambda value: json.dumps(value).encode()) | st.binary())
def test_a_line_is_publishable_or_malformed(line: bytes) -> None:
    """One line can't make the envelope check refuse the whole batch that it is in."""
    try:
        exported = parse_line(line)
    except MalformedLine:
        return
    assert RESERVED.intersection(exported.event) <= set(exported.unknown_fields(exported.event))
    event = {k: v for k, v in exported.event.items() if k not in RESERVED}
    event_id = event_id_of(exported.document_id or "none")
    published = complete({**event, "event_id": event_id}, now=NOW)
    assert published["event_id"] == event_id


@given(st.text(min_size=1, max_size=2 * LONGEST_EVENT_ID))
def test_an_id_becomes_a_valid_one_and_always_the_same(document_id: str) -> None:
    """Those that are short enough stay as they are."""
    event_id = event_id_of(document_id)
    assert 0 < len(event_id) <= LONGEST_EVENT_ID
    assert event_id == event_id_of(document_id)
    assert (event_id == document_id) == (len(document_id) <= LONGEST_EVENT_ID)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2016-12-18T10:00:09", "2016-12-18T10:00:09+00:00"),
        ("2016-12-18T10:00:09.123456", "2016-12-18T10:00:09.123456+00:00"),
        ("2016-12-18T23:30:00-05:00", "2016-12-19T04:30:00+00:00"),
        ("2016-12-18T10:30.5Z", "2016-12-18T10:30:30+00:00"),
    ],
)
def test_times_are_utc(time: str, expected: str) -> None:
    """Without an offset they are, with one they are converted."""
    line = json.dumps({"timestamp": time, "updated_timestamp": "x", "referrer": None}).encode()
    assert parse_line(line).event == {"timestamp": expected}
