"""What a row holds: counts, metrics and copied fields."""

from typing import Any

import pytest

from stats_pipeline import Count, Filter, First, Last, Max, Mean, Min, Sum, Unique, Where
from stats_pipeline.aggregations import exclude_robots
from stats_pipeline.errors import DefinitionError
from tests.aggregations.conftest import Make
from tests.aggregations.host import DAILY, TEMPLATE, rows, table, take, update, visits


def test_A004_39_there_is_one_row_for_each_day_and_value_with_the_count(make: Make) -> None:
    """A row says how many events of that day have that value."""
    pipeline = make()
    take(
        pipeline,
        visits(
            ("2017-01-01T00:00:00Z", "a"),
            ("2017-01-01T23:59:59.999Z", "a"),
            ("2017-01-01T10:00:00Z", "b"),
            ("2017-01-02T00:00:00Z", "a"),
        ),
    )
    assert update(pipeline) == {"created": 3}
    assert table(pipeline) == {
        ("2017-01-01", "a"): 2,
        ("2017-01-01", "b"): 1,
        ("2017-01-02", "a"): 1,
    }
    assert rows(pipeline)[0] == {
        "timestamp": "2017-01-01T00:00:00.000Z",
        "start": "2017-01-01T00:00:00.000Z",
        "end": "2017-01-02T00:00:00.000Z",
        "page": "a",
        "count": 2,
    }


def test_B20_sums_and_exact_uniques_stand_beside_the_count(make: Make) -> None:
    """12 downloads of 9,000 bytes in 4 hours by one user: count 12, 4 sessions, 108,000 bytes."""
    config = {
        "metrics": {"unique_count": ("unique", "unique_session_id"), "volume": ("sum", "size")}
    }
    pipeline = make(aggregations={"pages-agg": config})
    events = [
        {
            "timestamp": f"2017-01-01T{hour:02d}:0{minute}:00Z",
            "page": "a",
            "size": 9000,
            "unique_session_id": f"s{hour}",
        }
        for hour in range(4)
        for minute in range(3)
    ]
    take(pipeline, events)
    update(pipeline)
    (row,) = rows(pipeline)
    assert (row["count"], row["unique_count"], row["volume"]) == (12, 4, 108_000)
    assert type(row["volume"]) is int


def test_every_metric_computes_what_it_says(make: Make) -> None:
    """Count, sum, unique, min, max, mean, first and last, with and without a filter."""
    config = {
        "metrics": {
            "big": Count(where=Where("size", include=[30, 40])),
            "bytes": Sum("size"),
            "known_bytes": Sum("size", where=Where("kind", exclude=["x"])),
            "people": Unique("visitor_id"),
            "x_people": Unique("visitor_id", where=Where("kind", include=["x"])),
            "smallest": Min("size"),
            "largest": Max("size"),
            "average": Mean("score"),
            "earliest_kind": First("kind"),
            "latest_kind": Last("kind"),
        }
    }
    pipeline = make(aggregations={"pages-agg": config})
    take(
        pipeline,
        [
            {"timestamp": "2017-01-01T03:00:00Z", "page": "a", "size": 40, "visitor_id": "v1"},
            {
                "timestamp": "2017-01-01T02:00:00Z",
                "page": "a",
                "size": 30,
                "kind": "x",
                "visitor_id": "v1",
                "score": 1.5,
            },
            {
                "timestamp": "2017-01-01T01:00:00Z",
                "page": "a",
                "size": 7,
                "kind": "y",
                "visitor_id": "v2",
                "score": 0.5,
            },
            {"timestamp": "2017-01-01T00:30:00Z", "page": "b", "kind": "z"},
        ],
    )
    update(pipeline)
    first, second = rows(pipeline)
    numbers = {name: first.get(name) for name in config["metrics"]}
    assert numbers == {
        "big": 2,
        "bytes": 77,
        "known_bytes": 47,
        "people": 2,
        "x_people": 1,
        "smallest": 7,
        "largest": 40,
        "average": 1.0,
        "earliest_kind": "y",
        "latest_kind": None,
    }
    assert (second["people"], second["bytes"], second["latest_kind"]) == (0, 0, "z")
    assert "smallest" not in second


def test_A004_40_copied_fields_come_from_the_newest_event_or_a_function(make: Make) -> None:
    """A field is copied from the newest event; a function is given that event as a whole.

    Of two events of one moment the newest is the same at every run, whoever came first.
    """
    config = {
        "copy_fields": {
            "kind": "kind",
            "label": lambda event: f"{event['page']}/{event['size']}/{event['event_id']}",
        }
    }
    pipeline = make(aggregations={"pages-agg": config})
    take(pipeline, visits(("2017-01-01T09:00:00Z", "a"), kind="old", size=1))
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a"), kind="new", size=2))
    take(pipeline, visits(("2017-01-01T08:00:00Z", "a"), kind="oldest", size=3))
    for event_id in ("e2", "e3", "e1"):
        one = {"kind": event_id, "size": 4, "event_id": event_id}
        take(pipeline, visits(("2017-01-01T10:00:00Z", "b"), **one))
    update(pipeline)
    row, tied = rows(pipeline)
    assert row["kind"] == "new"
    assert row["label"].startswith("a/2/")
    assert (tied["kind"], tied["label"]) == ("e3", "b/4/e3")


def test_W6_a_missing_copied_field_is_left_out(make: Make) -> None:
    """The newest event lacks the field: the row has none, and the aggregation goes on."""
    pipeline = make(aggregations={"pages-agg": {"copy_fields": {"kind": "kind"}}})
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))
    take(pipeline, visits(("2017-01-01T10:00:00Z", "b"), kind="x"))
    assert update(pipeline) == {"created": 2}
    assert table(pipeline, field="kind") == {("2017-01-01", "a"): None, ("2017-01-01", "b"): "x"}


def test_an_event_with_several_values_is_in_the_row_of_each(make: Make) -> None:
    """The parts sum to more than the whole; so in long intervals, uniques and copied fields."""
    config = {
        "metrics": {"people": Unique("visitor_id"), "b_too": Count(where=Where("page", ["b"]))},
        "copy_fields": {"all_pages": "page"},
    }
    pairs = {"aggregation_field": ["page", "kind"], "aggregation_interval": "month"}
    pipeline = make(aggregations={"pages-agg": config, "pairs-agg": pairs})
    at_ten = {"timestamp": "2017-01-01T10:00:00Z", "visitor_id": "v1"}
    several = {"page": ["b", "a", "b", None], "kind": ["y", "x"]}
    later = {"timestamp": "2017-01-02T10:00:00Z", "page": "b", "kind": "x"}
    empty = {**at_ten, "page": [], "kind": "x"}
    take(pipeline, [{**at_ten, **several}, {**later, "visitor_id": "v1"}, empty])
    pipeline.update()
    counts = {"count": 1, "people": 1, "b_too": 1}
    found = [{key: row[key] for key in ("page", *counts, "all_pages")} for row in rows(pipeline)]
    assert found == [
        {"page": "a", **counts, "all_pages": ["a", "b"]},
        {"page": "b", **counts, "all_pages": ["a", "b"]},
        {"page": "b", **counts, "all_pages": "b"},
    ]
    pairs_found = {(r["page"], r["kind"]): r["count"] for r in rows(pipeline, "pairs-agg")}
    assert pairs_found == {("a", "x"): 1, ("a", "y"): 1, ("b", "x"): 2, ("b", "y"): 1}
    assert update(pipeline) == {}
    pipeline.reset()
    assert {(r["page"], r["kind"]): r["count"] for r in rows(pipeline, "pairs-agg")} == pairs_found


def test_an_event_without_a_dimension_is_left_out_of_that_aggregation_only(make: Make) -> None:
    """An event that lacks `kind` counts by page, not by kind."""
    by_kind = {"aggregation_field": ["page", "kind"]}
    pipeline = make(aggregations={"pages-agg": {}, "kinds-agg": by_kind})
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a")))
    take(pipeline, visits(("2017-01-01T11:00:00Z", "a"), kind="x"))
    pipeline.update()
    assert table(pipeline) == {("2017-01-01", "a"): 2}
    assert [(row["page"], row["kind"], row["count"]) for row in rows(pipeline, "kinds-agg")] == [
        ("a", "x", 1)
    ]


def test_A004_43_B19_robots_are_left_out_unless_the_modifiers_say_otherwise(make: Make) -> None:
    """2 people and 3 robots are 2 by default, and 5 without modifiers; of several each applies."""

    def only_x(events: Filter) -> Filter:
        return events.where("kind", ["x"])

    modifiers: dict[str, list[Any]] = {
        "all-agg": [],
        "x-agg": [only_x],
        "x-people-agg": [only_x, exclude_robots],
        "people-x-agg": [exclude_robots, only_x],
    }
    chosen = {name: {"query_modifiers": each} for name, each in modifiers.items()}
    pipeline = make(aggregations={"people-agg": {}, **chosen})
    for kind, is_robot, number in [
        ("x", False, 1),
        ("y", False, 1),
        ("x", True, 2),
        ("y", True, 1),
    ]:
        times = [("2017-01-01T10:00:00Z", "a")] * number
        take(pipeline, visits(*times, kind=kind, is_robot=is_robot))
    assert pipeline.update().is_complete
    counted = {name: table(pipeline, name)["2017-01-01", "a"] for name in ["people-agg", *chosen]}
    assert counted == {
        "people-agg": 2,
        "all-agg": 5,
        "x-agg": 3,
        "x-people-agg": 1,
        "people-x-agg": 1,
    }


def test_a_modifier_that_would_find_other_events_fails_the_update_and_no_other(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason; nothing is counted by it, on either store."""
    cut = {"type": "keyword", "ignore_above": 1}
    monkeypatch.setitem(TEMPLATE["template"]["mappings"]["properties"], "kind", cut)
    modifiers = [lambda events: events.where("kind", ["long"])]
    pipeline = make(aggregations={"kinds-agg": {"query_modifiers": modifiers}, "pages-agg": {}})
    take(pipeline, visits(("2017-01-01T10:00:00Z", "a"), kind="long"))
    reports = pipeline.update().aggregations
    kinds, pages = reports["kinds-agg"], reports["pages-agg"]
    assert "query_modifiers: the event's template maps 'kind' with ignore_above=1" in kinds.error
    assert (kinds.created, len(kinds.pending)) == (0, 1)
    assert (pages.created, pages.error) == (1, "")


def test_more_values_than_a_page_come_out_complete(make: Make) -> None:
    """2,500 pages of one day are 2,500 rows, and the next run finds nothing to change."""
    pipeline = make()
    take(pipeline, visits(*[("2017-01-01T10:00:00Z", f"page {n}") for n in range(2_500)]))
    assert update(pipeline) == {"created": 2_500}
    take(pipeline, visits(("2017-01-01T11:00:00Z", "page 7"), ("2017-01-01T11:00:00Z", "new")))
    assert update(pipeline) == {"created": 1, "updated": 1, "unchanged": 2_499}
    assert sum(table(pipeline).values()) == 2_502


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"aggregation_interval": "month", "index_interval": "day"}, "index_interval='day'"),
        ({"aggregation_field": "pages"}, "did you mean 'page'"),
        ({"metrics": {"n": ("sum", "page")}}, "is a number"),
        ({"metrics": {"n": ("summ", "size")}}, "did you mean 'sum'"),
        ({"metrics": {"count": ("sum", "size")}}, "two fields 'count'"),
        ({"copy_fields": {"x": "nope"}}, "no field 'nope'"),
        ({"time_zone": "Mars/Phobos"}, "IANA"),
        ({"aggregation_interval": "fortnight"}, "hour, day, week"),
        ({"intervals": "day"}, "unknown key 'intervals'"),
    ],
)
def test_B13_what_can_not_work_is_refused_when_it_is_defined(
    make: Make, config: dict[str, Any], words: str
) -> None:
    """A definition error says whose it is, what is wrong and what is allowed."""
    pipeline = make(aggregations={"pages-agg": {**DAILY, **config}})
    with pytest.raises(DefinitionError, match="pages-agg") as raised:
        pipeline.registries.aggregation("pages-agg").config  # noqa: B018 - read on first use
    assert words in str(raised.value)
    assert isinstance(raised.value, ValueError)
