"""Undo: an event stays as long as something that is not undone has brought it."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats_pipeline.errors import InvalidParameter
from stats_pipeline.pipeline import Pipeline
from tests.aggregations.host import take, visits
from tests.moving.conftest import Make
from tests.moving.host import bring, totals
from tests.support import Backend, stored_events

TIME = "2017-01-19T10:00:00.000Z"


def _line(event_id: str = "1", revision: int = 0, **fields: Any) -> bytes:
    event = {"event_id": event_id, "timestamp": TIME, "revision": revision, "page": "/a"}
    return json.dumps({"event_type": "visit", "event": {**event, **fields}}).encode()


def _queued(pipeline: Pipeline, event_id: str, revision: int = 0, **fields: Any) -> None:
    take(pipeline, visits((TIME, "/a"), event_id=event_id, revision=revision, **fields))


def test_totals_go_back_to_exactly_what_they_were(make: Make) -> None:
    """What was there before stays, what was new is gone, and importing it again counts again."""
    pipeline = make()
    _queued(pipeline, "1")
    before, events = totals(pipeline), stored_events(pipeline, "visit")
    lines = [_line("1"), _line("2"), _line("3", page="/b")]
    for _again in range(2):
        report = bring(pipeline, lines)
        assert (report.added, report.known) == (2, 1)
        assert [row["count"] for row in totals(pipeline)] == [2, 1]
        undone = pipeline.moving.undo_import("a")
        assert (undone.removed, undone.restored, undone.kept) == (2, 0, 0)
        assert totals(pipeline) == before
        assert stored_events(pipeline, "visit") == events
    assert pipeline.moving.undo_import("a").removed == 0


def test_an_event_that_comes_by_the_queue_later_survives_as_well(make: Make) -> None:
    """It is the very event, so it counts once before the undo and once after it."""
    pipeline = make()
    bring(pipeline, [_line("1"), _line("2")])
    _queued(pipeline, "1")
    assert [row["count"] for row in totals(pipeline)] == [2]
    assert pipeline.moving.undo_import("a").removed == 1
    assert [row["count"] for row in totals(pipeline)] == [1]
    _queued(pipeline, "2")
    assert [row["count"] for row in totals(pipeline)] == [2]


def test_a_correction_that_was_imported_is_taken_back(make: Make) -> None:
    """The revision before it is there again, and can be corrected by the queue."""
    pipeline = make(aggregations={"pages-agg": {"metrics": {"volume": ("sum", "size")}}})
    _queued(pipeline, "1", size=1)
    bring(pipeline, [_line("1", 1, size=10)])
    assert [row["volume"] for row in totals(pipeline)] == [10]
    undone = pipeline.moving.undo_import("a")
    assert (undone.removed, undone.restored) == (0, 1)
    assert [row["volume"] for row in totals(pipeline)] == [1]
    _queued(pipeline, "1", 1, size=100)
    assert [row["volume"] for row in totals(pipeline)] == [100]


#: What happens to one of two events, in which revision, by the queue or by one of three imports.
STEP = st.tuples(
    st.sampled_from(["queue", "a", "b", "c"]), st.sampled_from("12"), st.integers(0, 2)
)
UNDO = st.tuples(st.just("undo"), st.sampled_from("abc"), st.just(0))


class _Model:
    """Say what should count: each event in the highest revision that something stands for."""

    def __init__(self) -> None:
        self._brought: dict[tuple[str, int], set[str]] = {}

    def bring(self, event_id: str, revision: int, what: str) -> bool:
        """Note an arrival; not one by the queue that is lower than what an import brought."""
        is_lower = any(each_id == event_id and each > revision for each_id, each in self._brought)
        if what != "queue" or not is_lower:
            self._brought.setdefault((event_id, revision), set()).add(what)
        return what != "queue" or not is_lower

    def undo(self, what: str) -> None:
        """Note that an import was undone."""
        for supporters in self._brought.values():
            supporters.discard(what)

    def counting(self) -> dict[str, int]:
        """Return event -> revision."""
        standing = sorted(place for place, supporters in self._brought.items() if supporters)
        return dict(standing)


def test_whatever_is_imported_and_undone_in_any_order_what_counts_follows_the_rule(
    make: Make, backend: Backend
) -> None:
    """Each event counts in the highest revision that the queue or a standing import brought.

    All but one case: a lower revision that comes by the queue after a higher one was imported.
    """
    pipeline = make()
    runs = iter(range(10_000))

    def play(run: int, steps: list[tuple[str, str, int]]) -> dict[str, int]:
        model = _Model()
        # Each run has events and imports of its own.
        for what, which, revision in steps:
            event_id, import_id = f"{run}-{which}", f"{run}-{what}"
            if what == "undo":
                model.undo(which)
                _undo_if_known(pipeline, f"{run}-{which}")
            elif model.bring(event_id, revision, what):
                if what == "queue":
                    _queued(pipeline, event_id, revision, size=revision)
                else:
                    bring(pipeline, [_line(event_id, revision, size=revision)], import_id)
        return model.counting()

    @settings(
        max_examples=60 if backend.broker_url is None else 15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(st.lists(STEP | UNDO, max_size=10))
    def law(steps: list[tuple[str, str, int]]) -> None:
        run = next(runs)
        expected = play(run, steps)
        found = {
            event["event_id"]: event["size"]
            for event in stored_events(pipeline, "visit")
            if event["event_id"].startswith(f"{run}-")
        }
        assert found == expected

    law()


def _undo_if_known(pipeline: Pipeline, import_id: str) -> None:
    with suppress(InvalidParameter):
        pipeline.moving.undo_import(import_id)


class _Died(BaseException):
    """Be the end of a process, which nothing catches."""


@pytest.mark.parametrize(
    "step",
    ["stats_pipeline.pipeline.moving.removal.write_all", "stats_pipeline.stores.marks.touch"],
)
@pytest.mark.parametrize("calls", [0, 1])
def test_an_undo_that_died_at_any_step_is_run_again(
    make: Make, monkeypatch: pytest.MonkeyPatch, step: str, calls: int
) -> None:
    """Between withdrawing, marking, restoring and deleting: the totals end where they were."""
    pipeline = make()
    _queued(pipeline, "1")
    _queued(pipeline, "9", page="/b")
    before = totals(pipeline)
    bring(pipeline, [_line("2"), _line("9", 1, withdrawn=True)])
    assert [row["count"] for row in totals(pipeline)] == [2]
    left = calls

    module, name = step.rsplit(".", 1)
    real: Any = getattr(__import__(module, fromlist=[name]), name)

    def die(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        if left == 0:
            raise _Died
        left -= 1
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(step, die)
        with pytest.raises(_Died):
            pipeline.moving.undo_import("a")
    totals(pipeline)
    pipeline.moving.undo_import("a")
    assert totals(pipeline) == before


def test_what_comes_by_the_queue_after_an_undo_counts(make: Make) -> None:
    """Also if it is a lower revision than the one that was taken back, or an earlier click."""
    pipeline = make(double_click_window=10)
    click: dict[str, Any] = {"unique_id": "x", "visitor_id": "v"}
    later = {**click, "timestamp": TIME.replace("00.000Z", "09.000Z")}
    bring(pipeline, [_line("1", 1), _line("2", **later)])
    assert pipeline.moving.undo_import("a").removed == 2
    # Well before Elasticsearch would forget what was deleted on its own account.
    deadline = time.monotonic() + 20
    while len(stored_events(pipeline, "visit")) < 2:
        assert time.monotonic() < deadline
        _queued(pipeline, "1")
        _queued(pipeline, "3", **click)
    assert [row["count"] for row in totals(pipeline)] == [2]


def test_what_is_left_of_three_imports_can_be_undone_as_well(make: Make) -> None:
    """Undone one after the other, in whichever order: the last one takes the event with it."""
    pipeline = make()
    for import_id in "abc":
        bring(pipeline, [_line("1")], import_id)
    for import_id, (kept, removed) in {"a": (1, 0), "c": (1, 0), "b": (0, 1)}.items():
        undone = pipeline.moving.undo_import(import_id)
        assert (undone.kept, undone.removed) == (kept, removed)
    assert stored_events(pipeline, "visit") == []


@pytest.mark.parametrize("import_id", ["a", "b"])
def test_what_an_undo_that_died_has_begun_to_take_away_can_be_imported(
    make: Make, monkeypatch: pytest.MonkeyPatch, import_id: str
) -> None:
    """By the same import or another one: it counts, also after the undo has come to its end."""
    pipeline = make()
    bring(pipeline, [_line("1")])

    def die(*_arguments: Any) -> None:
        raise _Died

    with monkeypatch.context() as patch:
        patch.setattr("stats_pipeline.stores.marks.touch", die)
        with pytest.raises(_Died):
            pipeline.moving.undo_import("a")
    bring(pipeline, [_line("1")], import_id)
    assert [row["count"] for row in totals(pipeline)] == [1]
    pipeline.moving.undo_import("a")
    assert [row["count"] for row in totals(pipeline)] == ([1] if import_id == "b" else [])


def test_in_a_fixed_window_its_own_click_is_found_whatever_else_the_import_has(make: Make) -> None:
    """A correction of the click that counts is taken, also beside a later click of its window."""
    pipeline = make(double_click_window=10)
    click: dict[str, Any] = {"unique_id": "x", "visitor_id": "v"}
    _queued(pipeline, "1", **click)
    later = TIME.replace("00.000Z", "09.000Z")
    lines = [_line("2", timestamp=later, **click), _line("1", 1, size=5, **click)]
    report = bring(pipeline, lines)
    assert (report.changed, report.known) == (1, 1)
    # Nor does it give way to another click that the import brings later.
    assert bring(pipeline, lines[:1]).known == 1
    (stored,) = stored_events(pipeline, "visit")
    assert (stored["event_id"], stored["size"]) == ("1", 5)


def test_in_a_fixed_window_a_click_that_was_there_stays_the_one(make: Make) -> None:
    """An imported click of the same window is a double click, whichever came later in the day."""
    pipeline = make(double_click_window=10)
    click: dict[str, Any] = {"unique_id": "x", "visitor_id": "v"}
    _queued(pipeline, "1", **click)
    before = stored_events(pipeline, "visit")
    later = json.loads(_line("2", **click))
    later["event"]["timestamp"] = TIME.replace("00.000Z", "09.000Z")
    assert bring(pipeline, [json.dumps(later).encode()]).known == 1
    pipeline.moving.undo_import("a")
    assert stored_events(pipeline, "visit") == before


def test_an_import_that_there_was_not_is_refused_with_the_nearest_one(make: Make) -> None:
    """So is an id that can't be a part of a label."""
    pipeline = make()
    bring(pipeline, [_line()], "december")
    with pytest.raises(InvalidParameter, match="did you mean 'december'"):
        pipeline.moving.undo_import("decmeber")
    with pytest.raises(InvalidParameter, match="up to 100 letters"):
        bring(pipeline, [], "a,b")
