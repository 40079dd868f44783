"""Export and import: what moves to another place counts there as it did here."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.clock import ManualClock
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.seals import change_seal
from tests.aggregations.host import NOON, host_settings, rows, take, update, visits
from tests.moving.conftest import Make
from tests.moving.host import METRICS, bring, export, totals
from tests.support import Backend, MakePipeline, stored_events

AGGREGATIONS = {"pages-agg": {"metrics": METRICS}}
ANONYMOUS: dict[str, Any] = {
    "preprocessors": ["stats_pipeline.events.preprocessors:anonymize_user"],
    "salt_window": "month",
}


def _history(pipeline: Pipeline) -> None:
    """Store visits of two months: several people, a robot, a correction and a withdrawal."""
    events = []
    for number in range(60):
        person = {"user_id": f"u{number % 7}", "size": number}
        time = f"201{5 + number % 2}-0{1 + number % 2}-{1 + number % 20:02d}T{number % 24:02d}:00"
        events += visits((time, f"/{number % 3}"), event_id=str(number), **person)
    # At once, since a broker's queue is waited on until nothing more comes.
    take(pipeline, events)
    again = {"timestamp": "2015-01-01T00:00", "event_id": "0", "revision": 1}
    take(pipeline, [{**again, "page": "/corrected", "size": 5, "user_id": "u0"}])
    gone = {"timestamp": "2016-02-02T01:00", "event_id": "1", "revision": 1, "page": "/1"}
    take(pipeline, [{**gone, "withdrawn": True}])
    take(pipeline, visits(("2016-01-03T10:00", "/0"), is_robot=True, user_id="robot"))


@pytest.mark.servers
def test_from_sqlite_to_elasticsearch_every_row_is_the_same(
    embedded: Backend, distributed: Backend, make_pipeline: MakePipeline, tmp_path: Path
) -> None:
    """Totals and exact uniques of each day; the visitor ids move with the events."""
    settings = host_settings(tmp_path, aggregations=AGGREGATIONS, **ANONYMOUS)
    here = make_pipeline(embedded, clock=ManualClock(NOON), **settings)
    there = make_pipeline(distributed, clock=ManualClock(NOON), **settings)
    _history(here)
    lines = export(here)
    assert [json.loads(line)["event"]["timestamp"] for line in lines] == sorted(
        event["timestamp"] for event in stored_events(here, "visit")
    )
    report = bring(there, lines)
    assert (report.lines, report.added, report.bad) == (61, 61, 0)
    assert totals(there) == totals(here)
    assert export(there) == lines
    assert there.balance().is_closed


def test_what_is_brought_back_to_its_own_store_changes_nothing(make: Make) -> None:
    """Not one document, and no interval has to be computed again."""
    pipeline = make(aggregations=AGGREGATIONS, **ANONYMOUS)
    _history(pipeline)
    before, events = totals(pipeline), stored_events(pipeline, "visit")
    report = bring(pipeline, export(pipeline))
    assert (report.added, report.changed, report.known) == (0, 0, 61)
    assert stored_events(pipeline, "visit") == events
    assert update(pipeline) == {}
    assert rows(pipeline) == before
    assert pipeline.moving.undo_import("a").removed == 0
    assert totals(pipeline) == before


def test_a_part_of_the_time_is_exported(make: Make) -> None:
    """A bare date as the end means through its end; an end before the start is refused."""
    pipeline = make()
    take(pipeline, visits(("2017-01-01T00:00", "/a"), ("2017-01-02T23:59", "/b")))
    take(pipeline, visits(("2017-01-03T00:00", "/c")))
    asked = {"start": "2017-01-02", "end": "2017-01-02"}
    assert [json.loads(line)["event"]["page"] for line in export(pipeline, **asked)] == ["/b"]
    assert export(pipeline, start="2017-01-02T12:00Z", end="2017-01-02T12:00Z") == []
    for start, end in [("2017-01-02", "2017-01-01"), ("2017-01-02T02:00Z", "2017-01-02T01:00Z")]:
        with pytest.raises(InvalidParameter, match="is after the end"):
            pipeline.moving.export("visit", start, end)
    assert len(export(pipeline, end="2017-01-02T12:00Z")) == 1
    with pytest.raises(InvalidParameter, match="start must be"):
        export(pipeline, start="yesterday")


class _Died(BaseException):
    """Be the end of a process, which nothing catches."""


@pytest.mark.parametrize(
    "step",
    [
        "stats_pipeline.pipeline.moving.arrivals.write",
        "stats_pipeline.stores.marks.touch",
        "stats_pipeline.events.ledger.Ledger.enter",
    ],
)
def test_an_import_that_died_at_any_step_is_run_again(
    make: Make, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Before its events, marks or entries in the ledger: nothing is lost, nothing counts twice."""
    here, there = make(), make(place="there-")
    take(here, visits(*((f"2017-01-{day:02d}T10:00", "/a") for day in range(1, 8))))
    lines = export(here)
    bring(there, lines[:2])

    def die(*_arguments: Any) -> None:
        raise _Died

    with monkeypatch.context() as patch:
        patch.setattr(step, die)
        with pytest.raises(_Died):
            bring(there, lines)
    update(there)
    report = bring(there, lines)
    assert report.added + report.known == 7
    assert totals(there) == totals(here)
    assert there.balance().is_closed
    there.moving.undo_import("a")
    assert totals(there) == []


def test_bad_lines_are_named_and_the_others_are_imported(make: Make) -> None:
    """By number and reason; a line of any length or depth costs only itself."""
    here, there = make(), make(place="there-")
    take(here, visits(("2017-01-01T10:00", "/a"), event_id="1", size=1))
    (good,) = export(here)

    def changed(**fields: Any) -> bytes:
        line = json.loads(good)
        return json.dumps({**line, "event": {**line["event"], **fields}}).encode()

    bad = {
        b"{": "not JSON",
        b"[1]": "not a JSON object",
        b'{"a": NaN}': "not JSON",
        b"[" * 100_000: "not JSON",
        b"x" * 2_000_000: "longer than",
        b'{"event_type": 5, "event": {}}': "no text",
        b'{"event_type": "visit", "event": {"timestamp": "2017-01-01"}}': "no event_id",
        b'{"page": "/a", "timestamp": "2017-01-01"}': "no event_id",
        b'{"event_id": 11, "timestamp": "2017-01-01"}': "event_id must be text, in quotes, not 11",
        b'{"event_id": "1"}': "no timestamp",
        changed(pgae="/a"): "did you mean 'page'",
        changed(size="large"): "'size' (long)",
        changed(timestamp="1900-01-01"): "implausible",
        changed(timestamp="soon"): "not an ISO 8601 time",
        changed(revision=256): "revision",
        changed(event_id=""): "1 to 200 characters",
    }
    report = bring(there, [*bad, good], event_type="visit")
    assert (report.lines, report.added, report.bad) == (len(bad) + 1, 1, len(bad))
    for number, (named, reason) in enumerate(
        zip(report.bad_lines, bad.values(), strict=True), start=1
    ):
        assert (named["file"], named["line"]) == ("lines", number)
        assert reason in named["reason"]
        assert "preprocessor" not in named["reason"]
    assert export(there) == [good]


def test_an_event_of_a_time_that_is_closed_is_a_bad_line(make: Make) -> None:
    """Its rows are final, so it could not be counted any more."""
    here, there = make(), make(place="there-")
    take(here, visits(("2017-01-01T10:00", "/a"), ("2017-01-02T10:00", "/a")))
    alias, state = there.registries.event_type("visit").alias, there.store.state
    closed = datetime(2017, 1, 2, tzinfo=UTC)
    change_seal(state, alias, lambda seal: replace(seal, closing_before=closed))
    report = bring(there, export(here))
    assert (report.added, report.bad) == (1, 1)
    assert "are closed (retention_days)" in report.bad_lines[0]["reason"]


def test_bare_events_go_through_the_preprocessors_of_their_type(make: Make) -> None:
    """As if they were published: made anonymous; one that a preprocessor fails on is a bad line."""
    pipeline = make(**ANONYMOUS)
    event = {"event_id": "1", "timestamp": "2017-01-01T10:00", "page": "/a", "user_id": "u1"}
    lines = [json.dumps(event).encode()]
    assert bring(pipeline, lines, event_type="visit").added == 1
    take(pipeline, [event])
    (stored,) = stored_events(pipeline, "visit")
    assert len(stored["visitor_id"]) == 32
    assert "user_id" not in stored


def test_a_bare_event_is_known_by_the_event_id_that_a_preprocessor_makes(make: Make) -> None:
    """Else it is a bad line, also where a preprocessor misses the id; none is made up."""

    def identify(event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "event_id": f"{event['timestamp']} {event['page']}"}

    def lose(event: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in event.items() if name != "event_id"}

    lines = [
        json.dumps({"timestamp": time, "page": "/a"}).encode()
        for time in ("2017-01-01T10:00Z", "2017-01-01T11:00+01:00", "2017-01-01T12:00Z")
    ]
    pipeline = make(preprocessors=[identify])
    report = bring(pipeline, lines, event_type="visit")
    assert (report.added, report.known, report.bad) == (2, 1, 0)
    take(pipeline, [json.loads(line) for line in lines])
    assert (bring(pipeline, lines, "b", event_type="visit").known, len(export(pipeline))) == (3, 2)

    named = json.dumps({"timestamp": "2017-01-02", "page": "/a", "event_id": "1"}).encode()
    for preprocessors in ([lose], ANONYMOUS["preprocessors"]):
        pipeline = make(place="there-", **{**ANONYMOUS, "preprocessors": preprocessors})
        report = bring(pipeline, [*lines, named], event_type="visit")
        assert report.bad == (4 if lose in preprocessors else 3)
        assert {bad["reason"] for bad in report.bad_lines} == {
            "it has no event_id: importing it again would count it again"
        }


def test_a_line_without_an_active_event_type_is_a_bad_line(make: Make) -> None:
    """Unknown, registered but not active, or not said: the others are imported all the same."""
    event = {"event_id": "1", "timestamp": "2017-01-01T10:00Z", "page": "/a"}
    types = ["visitt", "file-download", "visit"]
    lines = [json.dumps({"event_type": name, "event": event}).encode() for name in types]
    report = bring(make(), [json.dumps(event).encode(), *lines])
    assert (report.lines, report.added, report.bad) == (4, 1, 3)
    bare, unknown, inactive = (bad["reason"] for bad in report.bad_lines)
    assert "give --type" in bare
    assert unknown == "Unknown event type 'visitt'; did you mean 'visit'?"
    assert "'file-download', which is registered but not active (STATS_EVENTS)" in inactive


@pytest.mark.parametrize("rule", ["fixed", "sliding"])
def test_double_clicks_are_the_same_after_a_move(make: Make, rule: str) -> None:
    """With either rule the clicks that count here count there, and no other."""
    clicks = {"double_click_window": 10, "double_click_rule": rule, **ANONYMOUS}
    here, there = make(**clicks), make(place="there-", **clicks)
    seconds = [0, 4, 9, 11, 25, 59]
    for second in seconds:
        event = visits((f"2016-12-31T23:59:{second:02d}", "/a"), user_id="u", unique_id="x")
        take(here, event)
    take(here, visits(("2017-01-01T00:00:03", "/a"), user_id="u", unique_id="x"))
    expected = totals(here)
    bring(there, export(here))
    assert totals(there) == expected
    bring(there, export(here), "b")
    assert totals(there) == expected
