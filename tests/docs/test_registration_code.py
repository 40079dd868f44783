"""The Python code of docs/registration.md does what stands beside it."""

import inspect
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline import EventsIndexer, StatAggregator, TotalsQuery
from stats_pipeline.permissions import allow_everyone
from tests.docs.conftest import names_in, page
from tests.support import BROWSER, ROBOT, Backend, MakeApp, MakePipeline

PAGE = "docs/registration.md"

FIELDS = {"device": "keyword", "boot_reason": "keyword", "size": "long"}
BOOTS: list[dict[str, Any]] = [
    {"boot_reason": "UNKNOWN", "size": 1, "user_agent": BROWSER},
    {"boot_reason": "keyboard power on", "size": 2, "user_agent": BROWSER},
    {"boot_reason": "wifi", "size": 4, "user_agent": ROBOT},
    {"size": 8, "user_agent": BROWSER},
]


def test_an_override_changes_the_key_that_it_names(
    make_pipeline: MakePipeline, embedded: Backend
) -> None:
    """And leaves the others as they are registered."""
    settings = {"STATS_EVENTS": names_in(PAGE, "settings.py")["STATS_EVENTS"]}
    registries = make_pipeline(embedded, **settings).registries
    config = registries.event_type("file-download").config
    assert config.double_click_window == 30
    before = make_pipeline(embedded).registries.event_type("file-download").config
    assert before.double_click_window == 10
    assert config.preprocessors == before.preprocessors


def test_a_query_class_of_ones_own_answers_from_a_table(
    make_app: MakeApp, embedded: Backend, tmp_path: Path
) -> None:
    """It is listed with its parameters, and a wrong value is 400."""
    file = str(tmp_path / "tickets.db")
    with closing(sqlite3.connect(file)) as tickets, tickets:
        tickets.execute("create table tickets (year integer, used_at text)")
        rows = [(2016, "2016-12-18"), (2016, None), (2015, None)]
        tickets.executemany("insert into tickets values (?, ?)", rows)
    query = {
        "query_class": names_in(PAGE, "ticket_use.py")["TicketUseQuery"],
        "query_config": {"file": file},
        "permission": allow_everyone,
    }
    app = make_app(embedded.store_url, STATS_QUERIES={"ticket-use": query})
    client = app.test_client()
    answer = client.get("/stats/ticket-use?year=2016").json
    assert answer == {"sold": 2, "used": 1, "as_of": None}
    wrong = client.get("/stats/ticket-use?year=now")
    assert wrong.status_code == 400
    assert "'year' must be a number" in wrong.text
    listed = client.get("/stats/").json
    assert listed is not None
    (entry,) = [entry for entry in listed["queries"] if entry["name"] == "ticket-use"]
    assert [parameter["name"] for parameter in entry["parameters"]] == ["year"]


def test_metrics_with_a_filter_count_what_the_page_says(
    make_pipeline: MakePipeline, embedded: Backend, tmp_path: Path
) -> None:
    """An event without the field is one of those that are not excluded."""
    properties = {name: {"type": kind} for name, kind in FIELDS.items()}
    template = {"template": {"mappings": {"properties": properties}}}
    (tmp_path / "boot.json").write_text(json.dumps(template))
    metrics = names_in(PAGE, "metrics.py")["METRICS"]
    config = {"event": "boot", "aggregation_field": "device", "query_modifiers": []}
    pipeline = make_pipeline(
        embedded,
        STATS_EVENTS={"boot": {"templates": str(tmp_path)}},
        STATS_AGGREGATIONS={"boot-agg": {"aggregator_config": {**config, "metrics": metrics}}},
        STATS_QUERIES={
            "boots": {
                "query_class": TotalsQuery,
                "query_config": {
                    "aggregation": "boot-agg",
                    "metric_fields": {name: ("sum", name) for name in ("count", *metrics)},
                },
                "permission": allow_everyone,
            }
        },
    )
    pipeline.publish("boot", [{"device": "d-1", "user_id": "u1", **boot} for boot in BOOTS])
    assert pipeline.process_events().indexed == len(BOOTS)
    pipeline.update()
    answer = pipeline.query("boots")
    found = {name: answer[name] for name in ("count", *metrics)}
    assert found == {
        "count": 4,
        "crashes": 2,
        "other": 2,
        "bytes_of_people": 11,
        "known_of_people": 2,
    }


@pytest.mark.parametrize(
    "function",
    [
        EventsIndexer.__init__,
        EventsIndexer.index,
        StatAggregator.__init__,
        StatAggregator.rows,
        StatAggregator.filter,
    ],
)
def test_classes_of_ones_own_are_called_as_the_page_says(function: Callable[..., Any]) -> None:
    """By the parameters of ours, of which it names each."""
    _self, *parameters = inspect.signature(function).parameters.values()
    names: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in names:
            names.append("*")
        names.append(parameter.name)
    assert f"`{function.__name__}({', '.join(names)})`" in " ".join(page(PAGE).split())
