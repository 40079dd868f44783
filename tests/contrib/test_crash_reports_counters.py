"""What is counted: four counters with their filters, of each value of two dimensions."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from stats_pipeline import Count, Where
from stats_pipeline.contrib.crash_reports import register_aggregations
from stats_pipeline.errors import DefinitionError
from stats_pipeline.pipeline import Pipeline
from tests.contrib.crash_reports import (
    ACTIVE,
    REPORT,
    Make,
    all_rows,
    crash,
    days,
    heartbeat,
    rows,
    take,
    totals,
    update,
    versions,
)
from tests.support import Backend, MakePipeline

CRASHES = f"{REPORT}-build-day-agg"

#: Whatever a phone says of its restart -> the counter that the report belongs to.
REASONS = {
    "UNKNOWN": "prob_crashes",
    "keyboard power on": "prob_crashes",
    "RTC alarm": "smpl",
    "random boot reason": "other",
    None: "other",
    "unknown": "other",
    "UNKNOWN ": "other",
    "rtc alarm": "other",
    "RTC": "other",
}


def test_A000_21_four_counters_of_two_kinds_in_their_order() -> None:
    """Heartbeats, crashes, SMPL, other; each is stored under a name of its own, in all rollups."""
    for item in register_aggregations():
        kinds = [
            (clause.include, name)
            for name, metric in item["aggregator_config"]["metrics"].items()
            if isinstance(metric, Count)
            for clause in metric.filter.clauses
            if isinstance(clause, Where) and clause.field == "kind"
        ]
        assert kinds == [
            (("heartbeat",), "heartbeats"),
            (("crash",), "prob_crashes"),
            (("crash",), "smpl"),
            (("crash",), "other"),
        ]


def test_A000_23_A000_24_A000_25_A000_26_A000_29_A000_30_each_reason_has_its_counter(
    make: Make,
) -> None:
    """Lists are joined by OR; a value is matched as a whole, with its case.

    A000-26: every report is in exactly one of three, so they add up to the number of reports.
    A000-30: one that says nothing is counted in `other`, and not lost.
    """
    pipeline = make()
    reports = [crash(f"{n}", "2019-03-01T10:00", f"B{n}", why) for n, why in enumerate(REASONS)]
    assert take(pipeline, reports).indexed == len(REASONS)
    pipeline.update([CRASHES])
    found = sorted(rows(pipeline, CRASHES), key=lambda row: row["build_fingerprint"])
    counters = ("prob_crashes", "smpl", "other")
    one = [{name: row[name] for name in counters if row[name]} for row in found]
    assert one == [{counter: 1} for counter in REASONS.values()]
    assert [row["count"] for row in found] == [1] * len(REASONS)


def test_A000_27_what_is_included_comes_first_then_what_is_excluded(make: Make) -> None:
    """A value that is in both lists is excluded; a report without the field is never included."""
    metrics = {
        "included": Count(where=Where("boot_reason", include=["a", "b"])),
        "excluded": Count(where=Where("boot_reason", exclude=["b", "c"])),
        "both": Count(where=Where("boot_reason", include=["a", "b"], exclude=["b", "c"])),
    }
    aggregation = {
        "event": REPORT,
        "aggregation_field": "build_fingerprint",
        "metrics": metrics,
        "query_modifiers": [],
    }
    pipeline = make(STATS_AGGREGATIONS={"reasons-agg": {"aggregator_config": aggregation}})
    reasons = ["a", "b", "c", "d", None]
    take(
        pipeline,
        [crash(f"{n}", "2019-03-01T10:00", "B1", why) for n, why in enumerate(reasons)],
    )
    pipeline.update(["reasons-agg"])
    (row,) = rows(pipeline, "reasons-agg")
    assert {name: row[name] for name in metrics} == {"included": 2, "excluded": 3, "both": 1}


@pytest.mark.parametrize(
    "nothing", [{}, {"include": None, "exclude": None}, {"include": []}, {"exclude": ()}]
)
def test_A000_28_a_filter_without_any_list_is_an_error_when_it_is_defined(nothing: Any) -> None:
    """The message names both parameters."""
    with pytest.raises(ValueError, match="give include, exclude or both") as refused:
        Where("boot_reason", **nothing)
    assert isinstance(refused.value, DefinitionError)


def test_A000_33_A000_35_A000_36_days_add_up_to_all_time(embedded_server: Pipeline) -> None:
    """A day has a row where something happened, and only there; one of all time per value."""
    chosen = random.Random(6)
    expected: Counter[tuple[str, str, str]] = Counter()
    reports: list[Any] = []
    for device in range(300):
        day, build = f"2019-02-{chosen.randint(1, 9):02}", f"B{chosen.randint(1, 3)}"
        time = f"{day}T{chosen.randint(0, 23):02}:00"
        if chosen.random() < 0.5:
            reports.append(heartbeat(str(device), time, build))
            expected[build, day, "heartbeats"] += 1
        else:
            reason = chosen.choice(list(REASONS))
            reports.append(crash(str(device), time, build, reason))
            expected[build, day, REASONS[reason]] += 1
    assert take(embedded_server, reports).indexed == len(reports)
    update(embedded_server)
    names = ("heartbeats", "prob_crashes", "smpl", "other")
    by_day = days(embedded_server)
    assert set(by_day) == {(build, day) for build, day, _ in expected}
    for (build, day), counts in by_day.items():
        assert counts == tuple(expected[build, day, name] for name in names)
    for build, counts in totals(embedded_server).items():
        per_day = [each for (of, _), each in by_day.items() if of == build]
        assert counts == tuple(map(sum, zip(*per_day, strict=True)))
    for name, found in all_rows(embedded_server).items():
        places = [(row["start"], row.get("build_fingerprint")) for row in found]
        assert len(set(places)) == len(places), name


def test_A000_37_the_zone_of_days_is_a_setting(make: Make) -> None:
    """T000-07: UTC by default; a zone that is changed later is refused until there is a reset."""
    zone = "Europe/Amsterdam"
    daily, ever = f"{REPORT}-build-day-agg", f"{REPORT}-build-all-agg"
    at_home = make()
    take(at_home, [heartbeat("A", f"2019-03-01T{time}") for time in ("10:00", "23:30")])
    at_home.update([daily])
    assert [(row["start"][:10], row["heartbeats"]) for row in rows(at_home, daily)] == [
        ("2019-03-01", 2)
    ]
    abroad = make(
        STATS_AGGREGATIONS={daily: {"aggregator_config": {"time_zone": zone}}},
        STATS_QUERIES={"build-versions": {"query_config": {"time_zone": zone}}},
    )
    assert "time_zone" in abroad.update([daily]).aggregations[daily].error
    assert abroad.reset([daily]).is_complete
    by_day = {row["start"]: row["heartbeats"] for row in rows(abroad, daily)}
    assert by_day == {"2019-02-28T23:00:00.000Z": 1, "2019-03-01T23:00:00.000Z": 1}
    take(abroad, [heartbeat("A", "2019-02-27T23:30")])
    assert abroad.update([ever]).is_complete
    assert versions(abroad)["B1"]["first_seen"] == "2019-02-28"


def test_a_zone_that_there_is_not_is_refused(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """The error names the query."""
    queries = {"build-versions": {"query_config": {"time_zone": "Europe/Amsterdm"}}}
    pipeline = make_pipeline(embedded, STATS_EVENTS=ACTIVE, STATS_QUERIES=queries)
    with pytest.raises(DefinitionError, match="query 'build-versions': time_zone='Europe/Amst"):
        pipeline.query("build-versions")
