"""How often an update reads the events: once for an interval, whatever is counted."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from stats_pipeline import Count, First, Mean, Sum, Unique, Where
from stats_pipeline.aggregations import differences
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.elasticsearch import groups
from tests.aggregations.conftest import Make
from tests.aggregations.host import rows, take, update, visits

EVENTS = "events-stats-visit"
MORNING = "2017-01-09T10:00:00Z"

PEOPLE = Where("is_robot", exclude=[True])
NUMBERS = {"volume": Sum("size", where=PEOPLE), "robots": Count(where=Where("is_robot", [True]))}
VISITORS = Unique("visitor_id")
SESSIONS = Unique("unique_session_id", where=PEOPLE)
OTHERS = {"score": Mean("score"), "first": First("kind")}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the list of what was asked of the stored events so far, other than one by its id."""
    seen: list[str] = []
    connect = sqlite3.connect
    open_point_in_time, search = Elasticsearch.open_point_in_time, Elasticsearch.search
    places: dict[str, str] = {}

    def note(statement: str) -> None:
        is_by_id = " and _id " in statement
        if statement.startswith("select") and f'{EVENTS}"' in statement and not is_by_id:
            seen.append(statement)

    def connect_and_note(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(note)
        return connection

    def open_and_note(api: Elasticsearch, **options: Any) -> Any:
        answer = open_point_in_time(api, **options)
        places[answer["id"]] = options["index"]
        return answer

    def search_and_note(api: Elasticsearch, **options: Any) -> Any:
        if EVENTS in places.get(options.get("pit", {}).get("id"), ""):
            seen.append(str(options))
        return search(api, **options)

    monkeypatch.setattr("stats_pipeline.sqlite.connections.sqlite3.connect", connect_and_note)
    monkeypatch.setattr(Elasticsearch, "open_point_in_time", open_and_note)
    monkeypatch.setattr(Elasticsearch, "search", search_and_note)
    return seen


def visited(pipeline: Pipeline, *pages: str, **fields: Any) -> None:
    """Store two visits to each of these pages, by two visitors."""
    for number in (1, 2):
        person = {"visitor_id": f"v{number}", "unique_session_id": f"s{number}", "size": number}
        events = visits(*((MORNING, page) for page in pages), **person, **fields)
        take(pipeline, [{**event, "event_id": f"{event['page']}{number}"} for event in events])


@pytest.mark.parametrize(
    "config",
    [
        {"metrics": NUMBERS},
        {"metrics": {"visitors": VISITORS, **NUMBERS}},
        {"metrics": {"visitors": VISITORS, "again": VISITORS, "sessions": SESSIONS}},
        {
            "metrics": {"visitors": VISITORS, "kinds": Unique("kind"), **NUMBERS, **OTHERS},
            "copy_fields": {"newest_kind": "kind"},
        },
    ],
    ids=["numbers", "one unique", "two uniques and one again", "everything"],
)
def test_an_interval_is_one_scan_of_its_events(
    make: Make, reads: list[str], config: dict[str, Any]
) -> None:
    """Whatever is counted, also where rows are changed or gone; with nothing new there is none."""
    pipeline = make(aggregations={"pages-agg": config})
    visited(pipeline, "a", "b")
    reads.clear()
    assert update(pipeline) == {"created": 2}
    assert len(reads) == 1
    visited(pipeline, "a", revision=1, withdrawn=True)
    take(pipeline, visits((MORNING, "b"), visitor_id="v3"))
    reads.clear()
    assert update(pipeline) == {"updated": 1, "deleted": 1}
    assert len(reads) == 1
    reads.clear()
    assert update(pipeline) == {}
    assert reads == []


def test_one_metric_under_two_names_is_computed_once(make: Make, reads: list[str]) -> None:
    """Both fields of the row should have the number, and both sketches."""
    pipeline = make(aggregations={"pages-agg": {"metrics": {"a": VISITORS, "b": VISITORS}}})
    visited(pipeline, "a")
    reads.clear()
    update(pipeline)
    (asked,) = reads
    assert asked.count("(distinct") == 1 or asked.count("'composite'") == 2
    (row,) = rows(pipeline)
    assert (row["a"], row["b"]) == (2, 2)
    assert row["a_sketch"] == row["b_sketch"]


def test_further_pages_of_an_answer_change_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event of several kinds counts once, and one of no kind and no visitor as well."""
    metrics = {"kinds": Unique("kind"), "visitors": VISITORS, "people": SESSIONS, **OTHERS}
    names = ("visits", "pages")
    pipeline = make(aggregations={f"{name}-agg": {"metrics": metrics} for name in names})
    pages = [f"p{number}" for number in range(5)]
    visited(pipeline, *pages, kind=["x", "y"], score=1.5)
    visited(pipeline, "p3", kind="z", score=1.5, revision=1)
    take(pipeline, visits((MORNING, "p1"), (MORNING, "p6"), score=0.5))
    update(pipeline, "visits-agg")
    monkeypatch.setattr(groups, "PAGE_GROUPS", 2)
    update(pipeline, "pages-agg")
    found = rows(pipeline, "pages-agg")
    assert found == rows(pipeline, "visits-agg")
    fields = ("page", "count", "kinds", "visitors", "people", "score")
    assert [tuple(row[field] for field in fields) for row in found] == [
        ("p0", 2, 2, 2, 2, 1.5),
        ("p1", 3, 2, 2, 2, pytest.approx(3.5 / 3)),
        ("p2", 2, 2, 2, 2, 1.5),
        ("p3", 2, 1, 2, 2, 1.5),
        ("p4", 2, 2, 2, 2, 1.5),
        ("p6", 1, 0, 0, 0, 0.5),
    ]


def test_rows_that_are_gone_wait_in_a_file(
    make: Make, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they are too many for memory, they should be removed without another scan as well."""
    monkeypatch.setattr(differences, "GONE_BYTES", 10)
    pipeline = make()
    pages = [f"p{number}" for number in range(5)]
    visited(pipeline, *pages, "stays")
    assert update(pipeline) == {"created": 6}
    visited(pipeline, *pages, revision=1, withdrawn=True)
    reads.clear()
    assert update(pipeline) == {"deleted": 5, "unchanged": 1}
    assert len(reads) == 1
    assert [row["page"] for row in rows(pipeline)] == ["stays"]
