"""Which queries a caller sees, and what strangers' classes are checked for."""

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from stats_pipeline.errors import InvalidParameter
from stats_pipeline.permissions import allow_everyone, deny_all
from stats_pipeline.queries import TotalsQuery
from stats_pipeline.queries.listing import check_parameters, describe, permitted_queries
from stats_pipeline.registry import Registries
from stats_pipeline.settings import read_settings


class OpenRecords:
    """Be a host's statistic that reads no rows."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, state: str, *, year: int = 2016) -> float:
        """Return a ratio."""
        return 0.5 if state == "open" else year / 4032


class Anything:
    """Be a host's statistic that takes whatever it gets."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, **params: str) -> int:
        """Return how much it got."""
        return len(params)


class Described(OpenRecords):
    """Be a host's statistic that says itself what it takes, in its own way."""

    parameters = ({"name": "state"},)


def fails_without_bucket(query_name: str, params: Mapping[str, Any]) -> bool:
    """Permit by a parameter that a listing doesn't have."""
    return bool(params["bucket"])


QUERIES: dict[str, dict[str, Any]] = {
    "mine": {
        "query_class": TotalsQuery,
        "query_config": {"index": "stats-x"},
        "permission": allow_everyone,
        "description": "How often.",
    },
    "ratio": {"query_class": OpenRecords, "permission": allow_everyone},
    "anything": {"query_class": Anything, "permission": allow_everyone},
    "described": {"query_class": Described, "permission": allow_everyone},
    "secret": {"query_class": OpenRecords, "permission": deny_all},
    "picky": {"query_class": OpenRecords, "permission": fails_without_bucket},
    "broken": {
        "query_class": TotalsQuery,
        "query_config": {"doc_type": "x"},
        "permission": allow_everyone,
    },
}


@pytest.fixture
def registries() -> Registries:
    """Give the registries of a host that declares these queries in its settings."""
    return Registries(read_settings({"STATS_QUERIES": QUERIES}))


def test_those_that_may_be_run_are_listed_and_a_broken_one_hides_no_other(
    registries: Registries, caplog: pytest.LogCaptureFixture
) -> None:
    """Denied ones are left out silently, broken ones with a line in the log."""
    with caplog.at_level(logging.ERROR):
        names = {query.name for query in permitted_queries(registries)} & QUERIES.keys()
    assert names == {"mine", "ratio", "anything", "described"}
    left_out = " ".join(record.getMessage() for record in caplog.records)
    assert "'picky'" in left_out
    assert "'broken'" in left_out


def test_a_query_is_described_by_name_text_and_parameters(registries: Registries) -> None:
    """Our classes describe their parameters; of a stranger's the signature of `run` does."""
    described = describe(registries.query("mine"))
    assert described["description"] == "How often."
    assert [p["name"] for p in described["parameters"]] == ["start_date", "end_date", "source"]
    unsaid = {"type": "any", "description": ""}
    assert describe(registries.query("ratio"))["parameters"] == [
        {"name": "state", **unsaid, "required": True},
        {"name": "year", **unsaid, "required": False},
    ]
    assert describe(registries.query("anything"))["parameters"] == []
    assert describe(registries.query("described"))["parameters"] == [{"name": "state"}]


@pytest.mark.parametrize(
    ("params", "wrong"),
    [({"state": "open"}, None), ({}, "state"), ({"state": "open", "yeer": 1}, "yeer")],
)
def test_A004_62_the_signature_of_a_strangers_class_says_what_it_takes(
    registries: Registries, params: dict[str, Any], wrong: str | None
) -> None:
    """A parameter that `run` doesn't take, or one that it needs, is refused before it is called."""
    query = registries.query("ratio")
    if wrong is None:
        check_parameters(query, params)
        return
    with pytest.raises(InvalidParameter, match="ratio: ") as caught:
        check_parameters(query, params)
    assert caught.value.parameter == wrong
