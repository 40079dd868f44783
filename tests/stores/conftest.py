"""What the tests of all stores share: one template, its index, and short ways to write."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from stats_pipeline.stores.protocol import Put, State, Store, Verdict
from stats_pipeline.templates import IndexTemplate

pytest.register_assert_rewrite(
    "tests.stores.contract_documents",
    "tests.stores.contract_filters",
    "tests.stores.contract_groups",
    "tests.stores.contract_indices",
    "tests.stores.contract_snapshots",
    "tests.stores.contract_state",
)

#: One field of each type that the suite needs; `batch` tells the examples of a law apart.
PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "timestamp": {"type": "date"},
    "event_id": {"type": "keyword"},
    "batch": {"type": "keyword"},
    "path": {"type": "keyword"},
    "size": {"type": "long"},
    "status": {"type": "short"},
    "ratio": {"type": "double"},
    "is_robot": {"type": "boolean"},
    "seen": {"type": "date"},
    "address": {"type": "ip"},
    "note": {"type": "text"},
    "extra": {"type": "object", "enabled": False},
}

#: Small indices are enough here, and quickly made on a real server.
SETTINGS = {"index": {"number_of_shards": 2, "number_of_replicas": 0}}

MakeTemplate = Callable[..., IndexTemplate]
Write = Callable[[str, Mapping[str, Mapping[str, Any]]], None]


@pytest.fixture
def make_template(index_prefix: str) -> MakeTemplate:
    """Give a function that makes the template of an alias, perhaps with more fields."""

    def make(name: str = "thing", **more: str) -> IndexTemplate:
        properties = {**PROPERTIES, **{field: {"type": of} for field, of in more.items()}}
        return IndexTemplate(f"{index_prefix}events-stats-{name}", properties, SETTINGS, {})

    return make


@pytest.fixture
def template(make_template: MakeTemplate) -> IndexTemplate:
    """Give the template that most tests use."""
    return make_template()


@pytest.fixture
def index(store: Store, template: IndexTemplate) -> str:
    """Give an index of this template that has the alias."""
    name = f"{template.alias}-2016-12"
    store.put_template(template)
    store.create_index(name, template, aliased=True)
    return name


@pytest.fixture
def write(store: Store) -> Write:
    """Give a function that writes documents, id -> body, and makes them visible."""

    def write_all(index: str, bodies: Mapping[str, Mapping[str, Any]]) -> None:
        results = store.bulk([Put(index, key, body) for key, body in bodies.items()])
        assert {result.verdict for result in results} <= {Verdict.DONE}, results
        store.refresh([index])

    return write_all


@pytest.fixture
def state(store: Store) -> State:
    """Give the state of the store."""
    return store.state


@pytest.fixture
def kind(index_prefix: str) -> str:
    """Give a kind of records that no other test has."""
    return f"{index_prefix}mark"
