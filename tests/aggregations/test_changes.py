"""Configurations that change between two runs: no number is computed by half of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from stats_pipeline.aggregations.generations import Generations
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.protocol import Put, Store
from stats_pipeline.templates import IndexTemplate
from tests.aggregations.conftest import Make
from tests.aggregations.faulty import CallingAggregator
from tests.aggregations.host import DAILY, NOON, counts, rows, table, take, update, visits

CutReset = Callable[..., None]


@pytest.fixture
def cut_reset(make: Make, monkeypatch: pytest.MonkeyPatch) -> CutReset:
    """Give a function that begins a reset under an aggregator_config and cuts it short."""

    def cut(config: Mapping[str, Any]) -> None:
        pipeline = make(aggregator_class=CallingAggregator, aggregations={"pages-agg": config})
        calls: list[int] = []

        def stop_in_the_third_interval(number: int) -> None:
            calls.append(number)
            if calls.count(0) == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr(CallingAggregator, "at_row", staticmethod(stop_in_the_third_interval))
        with pytest.raises(KeyboardInterrupt):
            pipeline.reset(["pages-agg"])

    return cut


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        ({}, {"index_interval": "day"}, "index_interval was 'month'"),
        (
            {"double_click_rule": "sliding", "double_click_window": 30},
            {"double_click_window": 30},
            "double_click_rule was 'sliding'",
        ),
    ],
)
def test_rows_stay_as_they_are_under_a_configuration_that_workers_refuse(
    make: Make, before: dict[str, Any], now: dict[str, Any], message: str
) -> None:
    """Else events would be looked for where they are not, and the rows emptied for good."""
    pipeline, changed = make(**before), make(**now)
    clicks = visits(("2017-01-01T10:00:00Z", "a"), unique_id="a", visitor_id="v")
    take(pipeline, clicks)
    update(pipeline)
    take(pipeline, clicks)
    for run in (changed.update, changed.reset):
        error = run(["pages-agg"]).aggregations["pages-agg"].error
        assert message in error
        assert "set it back, or register the events under a new event type" in error
        assert table(pipeline) == {("2017-01-01", "a"): 1}
    update(pipeline)
    expected = 1 if "double_click_rule" in before else 2
    assert table(pipeline) == {("2017-01-01", "a"): expected}


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("metrics", {"volume": ("sum", "size"), "largest": ("max", "size")}),
        ("copy_fields", {"last_kind": "kind"}),
        ("query_modifiers", []),
    ],
)
def test_other_values_in_rows_want_a_reset(make: Make, key: str, values: Any) -> None:
    """Else old rows would lack what new ones have, and a sum would be that of a part."""
    metrics = {"volume": ("sum", "size")}
    before, now = (
        make(aggregations={"pages-agg": {"metrics": metrics, **c}}) for c in ({}, {key: values})
    )
    events = visits(("2017-01-01T10:00:00Z", "a"), ("2017-01-02T10:00:00Z", "a"), size=2, kind="x")
    take(before, events[:1])
    update(before)
    take(now, events[1:])
    error = now.update(["pages-agg"]).aggregations["pages-agg"].error
    assert f"{key} was" in error
    assert "run `stats reset pages-agg`" in error
    assert now.reset(["pages-agg"]).is_complete
    assert update(now) == {}
    wanted = {"metrics": "largest", "copy_fields": "last_kind"}.get(key, "volume")
    assert set(table(now, field=wanted).values()) == {"x" if key == "copy_fields" else 2}


@pytest.mark.parametrize("has_rows", [True, False])
@pytest.mark.parametrize(
    "wrong",
    [
        {"metrics": {"volume": ("max", "size")}},
        {"time_zone": "Asia/Tokyo"},
        {"query_modifiers": []},
        {"copy_fields": {"volume": "size"}},
    ],
)
def test_a_reset_that_was_cut_short_is_not_taken_up_by_another_configuration(
    make: Make, cut_reset: CutReset, wrong: dict[str, Any], *, has_rows: bool
) -> None:
    """The rows that the wrong one made are given up, and so are their indices."""
    right = make(aggregations={"pages-agg": {**DAILY, "metrics": {"volume": ("sum", "size")}}})
    times = [f"2017-01-0{day}T23:30:00Z" for day in range(1, 5)]
    take(right, visits(*[(time, "a") for time in times], size=5))
    take(right, visits(*[(time, "a") for time in times], size=6, is_robot=True))
    expected = {(time[:10], "a"): 5 for time in times}
    if has_rows:
        update(right)
    cut_reset({**DAILY, "metrics": {}, **wrong})
    assert right.reset(["pages-agg"]).is_complete
    assert table(right, field="volume") == expected
    assert table(right) == dict.fromkeys(expected, 1)
    assert update(right) == {}
    alias = right.registries.aggregation("pages-agg").alias
    names = [f"{alias}-2017-01{suffix}" for suffix in ("", "-g2", "-g3")]
    assert list(right.store.index_uuids(names)) == names[2:]


def test_a_reset_is_judged_by_its_own_configuration_only_when_it_is_through(
    make: Make, cut_reset: CutReset
) -> None:
    """While it is under way, updates by the old configuration go on, those by the new one wait."""
    old = make()
    tokyo = {**DAILY, "time_zone": "Asia/Tokyo"}
    new = make(aggregations={"pages-agg": tokyo})
    take(old, visits(*[(f"2017-01-0{day}T23:30:00Z", "a") for day in range(1, 5)]))
    update(old)
    cut_reset(tokyo)
    assert "time_zone was 'UTC'" in new.update(["pages-agg"]).aggregations["pages-agg"].error
    assert update(old) == {}
    new.reset(["pages-agg"])
    assert update(new) == {}
    error = old.update(["pages-agg"]).aggregations["pages-agg"].error
    assert "time_zone was 'Asia/Tokyo'" in error


def test_a_reset_that_another_one_took_the_place_of_says_so(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows nothing to readers, and is not complete."""
    slow = make(aggregator_class=CallingAggregator)
    take(slow, visits(("2017-01-01T10:00:00Z", "a"), ("2017-01-02T10:00:00Z", "a")))
    update(slow)
    fast = make(aggregations={"pages-agg": {**DAILY, "metrics": {"volume": ("sum", "size")}}})

    def another_reset(_: int) -> None:
        monkeypatch.setattr(CallingAggregator, "at_row", staticmethod(lambda _: None))
        assert counts(fast.reset(["pages-agg"]).aggregations["pages-agg"].as_dict())

    monkeypatch.setattr(CallingAggregator, "at_row", staticmethod(another_reset))
    report = slow.reset(["pages-agg"]).aggregations["pages-agg"]
    assert "A reset that began later takes its place" in report.error
    assert set(table(fast, field="volume").values()) == {0}
    assert set(table(fast).values()) == {1}


class SwitchingStore:
    """A store in which another run switches generations while an index is being created."""

    def __init__(self, pipeline: Pipeline, switch: Callable[[], object]) -> None:
        self._store = pipeline.store
        self._switch = switch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def create_index(self, name: str, template: IndexTemplate, *, aliased: bool) -> str:
        """Switch, then create."""
        self._switch()
        return self._store.create_index(name, template, aliased=aliased)


def test_an_index_that_is_made_during_a_switch_is_seen_by_readers(make: Make) -> None:
    """Two runs build one generation; the one that is through first does not know of the index."""
    pipeline = make()
    definition = pipeline.registries.aggregation("pages-agg")
    generations = Generations(pipeline.store, definition)
    number = generations.start_next("plan")
    store: Store = SwitchingStore(pipeline, lambda: generations.switch_to(number))
    name = Generations(store, definition).ensure_index(number, NOON)
    body = {"timestamp": "2017-01-20T00:00:00.000Z", "page": "a", "count": 1}
    pipeline.store.bulk([Put(name, "row", body)])
    pipeline.store.refresh([name])
    assert rows(pipeline) == [body]
