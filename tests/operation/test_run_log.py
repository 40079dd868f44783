"""Runs are kept where they did something or failed, and never pile up."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from stats_pipeline.clock import ManualClock, SystemClock, format_time
from stats_pipeline.errors import StoreUnavailable
from stats_pipeline.pipeline import Pipeline, runs
from stats_pipeline.pipeline.runs import KEPT_RUNS, Runs, aggregated
from stats_pipeline.reports import AggregationReport, UpdateReport, as_asked
from stats_pipeline.stores.opening import open_store
from tests.support import E004_EVENTS, Backend, MakePipeline

NOW = datetime(2016, 12, 20, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that the test moves."""
    return ManualClock(NOW)


@pytest.fixture
def log(clock: ManualClock) -> Runs:
    """Give runs in an empty store."""
    return Runs(open_store("sqlite://", index_prefix="").state, clock)


def test_what_the_last_jobs_did_is_listed(backend: Backend, make_pipeline: MakePipeline) -> None:
    """Newest first, with the process, and in numbers that the reports had."""
    pipeline = make_pipeline(backend)
    pipeline.publish("file-download", E004_EVENTS)
    taken = pipeline.process_events().taken
    pipeline.update()
    pipeline.reset(["file-download-agg"])
    found = pipeline.runs()
    assert [run.job for run in found] == ["reset", "update", "process_events"]
    assert found[-1].done["taken"] == taken == len(E004_EVENTS)
    assert found[1].done["created"] == found[0].done["created"] > 0
    assert all(run.started_at <= run.ended_at and run.pid and run.host for run in found)
    assert {run.pending for run in found} == {0}
    assert found[0].aggregations == {
        "file-download-agg": {name: number for name, number in found[0].done.items() if number}
    }
    assert found[-1].aggregations == {}
    assert pipeline.runs("update", limit=1) == [found[1]]
    assert pipeline.status()["runs"] == [run.as_dict() for run in found]


def test_where_nothing_was_done_nothing_is_written(
    embedded: Backend, make_pipeline: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick every few seconds costs nothing, and pushes nothing else out of the list."""
    pipeline = make_pipeline(embedded)
    monkeypatch.setattr(Runs, "_keep", lambda *_: pytest.fail("it was written"))
    pipeline.process_events()
    pipeline.update()


def test_a_failure_is_kept_and_counted_as_long_as_it_repeats(log: Runs, clock: ManualClock) -> None:
    """What fails every few seconds for hours is one line."""
    nothing = {"taken": 0}
    for _ in range(100):
        log.keep("update", clock.now(), done=nothing, errors={"a-agg": "the store is full"})
        clock.advance(5)
    log.keep("update", clock.now(), done=nothing, errors={"a-agg": "another reason"})
    other, full = log.list()
    assert (full.times, full.started_at) == (100, "2016-12-20T12:00:00.000Z")
    assert full.ended_at == "2016-12-20T12:08:15.000Z"
    assert (other.times, other.errors) == (1, {"a-agg": "another reason"})


def test_W18_runs_never_pile_up(log: Runs, clock: ManualClock) -> None:
    """Of each job the last ones are kept, in one record, with errors of limited length."""
    for number in range(3 * KEPT_RUNS):
        log.keep("update", clock.now(), done={"created": number + 1}, errors={"x": "y" * 10_000})
        log.keep("retention", clock.now(), done={"deleted": number + 1}, errors={})
        clock.advance(60)
    found = log.list(limit=10_000)
    assert len(found) == 2 * KEPT_RUNS
    assert len(log.list("retention", limit=10_000)) == KEPT_RUNS
    assert log.list("update")[0].done == {"created": 3 * KEPT_RUNS}
    assert max(len(run.errors.get("x", "")) for run in found) == runs.LONGEST_ERROR
    assert len(list(log._state.find(runs.KIND))) == 2


def test_W18_the_record_of_many_aggregations_is_bounded(log: Runs, clock: ManualClock) -> None:
    """Where runs say much there are fewer of them, the newest ones."""
    names = [f"aggregation-of-something-{number}-agg" for number in range(100)]
    for number in range(KEPT_RUNS):
        report = UpdateReport(
            aggregations={name: AggregationReport(created=1 + number) for name in names},
            started_at=format_time(clock.now()),
        )
        log.keep("update", clock.now(), **aggregated(report))
        clock.advance(60)
    (record,) = log._state.find(runs.KIND)
    assert len(json.dumps(record.body["runs"])) <= 1.01 * runs.LARGEST_RECORD_BYTES
    found = log.list(limit=10_000)
    assert 20 < len(found) < KEPT_RUNS
    assert len(found[0].aggregations) == 100
    assert found[0].done["created"] == 100 * KEPT_RUNS


def test_runs_that_do_the_same_are_one_line(log: Runs, clock: ManualClock) -> None:
    """Whatever is still pending; another window, or other numbers of any aggregation, are not."""

    def keep(*, start: str | None = None, pending: int = 0, **numbers: int) -> None:
        left = tuple(f"2016-12-{day:02d}" for day in range(1, 1 + pending))
        each: list[dict[str, Any]] = [{name: number} for name, number in numbers.items()]
        report = UpdateReport(
            aggregations={
                name: AggregationReport(**own, pending=left)
                for name, own in zip(("a-agg", "b-agg"), each, strict=True)
            },
            started_at=format_time(clock.now()),
            start=start,
        )
        log.keep("update", clock.now(), **aggregated(report))
        clock.advance(60)

    for pending in (3, 2, 1):
        keep(unchanged=50, created=1, pending=pending)
    keep(created=1, unchanged=50)
    keep(start="2016-12-01", created=1, unchanged=50)
    of_window, swapped, same = log.list()
    assert (same.times, same.pending, same.started_at) == (3, 2, "2016-12-20T12:00:00.000Z")
    assert same.aggregations["a-agg"] == {"unchanged": 50, "pending": 1}
    assert (swapped.times, swapped.aggregations["a-agg"]) == (1, {"created": 1})
    assert (of_window.times, of_window.start, of_window.end) == (1, "2016-12-01", None)


def test_what_was_only_left_to_others_is_kept(log: Runs, clock: ManualClock) -> None:
    """A reset that could do nothing is something that an operator should see."""
    log.keep("reset", clock.now(), done={"created": 0}, errors={}, pending=2)
    assert [run.pending for run in log.list()] == [2]


def test_runs_of_earlier_versions_are_read(log: Runs, clock: ManualClock) -> None:
    """Their records say nothing of windows and single aggregations; the next run joins them."""
    log.keep("update", clock.now(), done={"created": 1}, errors={})
    (record,) = log._state.find(runs.KIND)
    new = ("start", "end", "pending", "aggregations")
    (old,) = ({k: v for k, v in run.items() if k not in new} for run in record.body["runs"])
    log._state.put([replace(record, body={"runs": [old]})])
    (run,) = log.list()
    assert (run.start, run.end, run.pending, run.aggregations) == (None, None, 0, {})
    log.keep("update", clock.now(), done={"created": 2}, errors={})
    assert [run.done["created"] for run in log.list()] == [2, 1]


def test_runs_of_several_processes_are_all_kept(log: Runs, clock: ManualClock) -> None:
    """A run that is kept between reading and writing is not lost."""
    other = Runs(log._state, SystemClock())
    state, is_first = log._state, True

    class Interrupted:
        def __getattr__(self, name: str) -> Any:
            nonlocal is_first
            if name in ("swap", "create") and is_first:
                is_first = False
                other.keep("update", clock.now(), done={"created": 1}, errors={})
            return getattr(state, name)

    log._state = Interrupted()
    log.keep("update", clock.now(), done={"created": 2}, errors={})
    assert {run.done["created"] for run in log.list()} == {1, 2}


def test_a_run_succeeds_although_it_can_not_be_kept(
    log: Runs, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What was done is done; that it is not listed is logged."""

    class Away:
        def get(self, *_: Any) -> Any:
            raise StoreUnavailable("the store is away")

    log._state = Away()  # type: ignore[assignment]
    log.keep("update", clock.now(), done={"created": 1}, errors={})
    assert "the store is away" in caplog.text


def test_a_type_that_fails_is_named(embedded: Backend, make_pipeline: MakePipeline) -> None:
    """Its error stands in the run as in the report."""
    first: Pipeline = make_pipeline(embedded)
    first.publish("file-download", E004_EVENTS)
    first.process_events()
    changed = {"file-download": {"processor_config": {"salt_window": "month"}}}
    report = make_pipeline(embedded, STATS_EVENTS=changed).process_events()
    (run, _) = first.runs()
    assert run.errors == {"file-download": report.types["file-download"].error}
    assert "salt_window" in run.errors["file-download"]


def test_the_window_of_a_report_is_text() -> None:
    """A bare date stays one; a time is UTC."""
    noon_in_paris = datetime(2016, 12, 18, 12, tzinfo=timezone(timedelta(hours=1)))
    asked = [None, "2016-12-18", date(2016, 12, 18), noon_in_paris]
    found = [as_asked(bound) for bound in asked]
    assert found == [None, "2016-12-18", "2016-12-18", "2016-12-18T11:00:00.000Z"]
