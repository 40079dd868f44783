"""Queries are checked when they are first used, against what their classes take."""

import pytest

from stats_pipeline.errors import DefinitionError, UnknownQuery
from stats_pipeline.permissions import allow_everyone
from tests.registry.conftest import MakeRegistries


class Open:
    """A query of the host that needs one value of its configuration."""

    def __init__(self, name: str, *, table: str) -> None:
        self.name, self.table = name, table

    def run(self) -> str:
        """Answer with it."""
        return self.table


def test_A004_59_a_query_without_a_permission_is_refused(registries: MakeRegistries) -> None:
    """D23: whoever registers a query says who may run it; there is no default."""
    made = registries(STATS_QUERIES={"open": {"query_class": Open}})
    with pytest.raises(DefinitionError, match=r"query 'open' of .* has no 'permission'"):
        made.query("open")


def test_A004_62_a_query_is_any_class_that_takes_its_configuration(
    registries: MakeRegistries,
) -> None:
    """It is made once; what its class does not take is refused with the nearest key."""
    query = {"query_class": Open, "permission": allow_everyone}
    made = registries(
        STATS_QUERIES={
            "open": {**query, "query_config": {"table": "records"}},
            "shut": {**query, "query_config": {"tables": "records"}},
        }
    )
    assert made.query("open").instance.table == "records"
    assert made.query("open").instance is made.query("open").instance
    with pytest.raises(DefinitionError, match=r"'shut' of .*unknown key 'tables'.*'table'"):
        _ = made.query("shut").instance
    with pytest.raises(UnknownQuery, match=r"Unknown statistic 'opened'; did you mean 'open'"):
        made.query("opened")
