"""What an undo and the list of imports say: what stays and why, and what is left of an import."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from stats_pipeline.clock import ManualClock
from stats_pipeline.pipeline.moving.listing import ImportEntry
from stats_pipeline.stores.seals import change_seal
from tests.aggregations.host import NOON
from tests.moving.conftest import Make
from tests.moving.host import bring
from tests.support import stored_events

TIME = "2017-01-19T10:00:00.000Z"


def _line(event_id: str, revision: int = 0) -> bytes:
    event = {"event_id": event_id, "timestamp": TIME, "revision": revision, "page": "/a"}
    return json.dumps({"event_type": "visit", "event": event}).encode()


def test_an_event_that_stays_in_the_higher_revision_of_another_import_is_counted(
    make: Make,
) -> None:
    """Once, also where the undone import has brought two of its revisions."""
    pipeline = make()
    bring(pipeline, [_line("1"), _line("2")])
    bring(pipeline, [_line("2", 1)])
    for event_id in "12":
        bring(pipeline, [_line(event_id, 2)], "c")
    undone = pipeline.moving.undo_import("a")
    assert (undone.removed, undone.restored, undone.kept) == (0, 0, 2)
    assert {event["revision"] for event in stored_events(pipeline, "visit")} == {2}
    assert pipeline.moving.undo_import("a").kept == 0
    assert pipeline.moving.undo_import("c").removed == 2


def test_an_undo_says_which_rows_it_can_not_change(make: Make) -> None:
    """Those whose events retention has deleted."""
    pipeline = make()
    bring(pipeline, [_line("1")])
    assert pipeline.moving.undo_import("a").sealed_before == {}
    alias, state = pipeline.registries.event_type("visit").alias, pipeline.store.state
    sealed = datetime(2017, 1, 1, tzinfo=UTC)
    change_seal(state, alias, lambda seal: replace(seal, sealed_before=sealed))
    undone = pipeline.moving.undo_import("a")
    assert undone.sealed_before == {"visit": "2017-01-01T00:00:00.000Z"}


def test_imports_are_listed_with_what_is_left_of_each(make: Make) -> None:
    """Oldest first; an event that two have brought is one of each."""
    clock = ManualClock(NOON)
    pipeline = make(clock=clock)
    assert pipeline.moving.imports() == []
    bring(pipeline, [_line("1"), _line("2")], "z")
    clock.advance(60)
    bring(pipeline, [_line("2"), _line("3", 1)], "b")
    begun = "2017-01-20T12:00:00.000Z", "2017-01-20T12:01:00.000Z"
    expected = [ImportEntry("z", "visit", begun[0], 2), ImportEntry("b", "visit", begun[1], 2)]
    assert pipeline.moving.imports() == expected
    pipeline.moving.undo_import("z")
    assert pipeline.moving.imports() == [replace(expected[0], events=0), expected[1]]
