"""docs/registration.md says of every key and every exported name what the code says."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from inspect import getmembers, isfunction, signature
from typing import Any, get_args

import pytest

from stats_pipeline import aggregations, permissions, queries
from stats_pipeline.events import preprocessors
from stats_pipeline.fields import FIELD_TYPES
from stats_pipeline.intervals import INTERVALS
from stats_pipeline.metrics import Metric
from stats_pipeline.model import Aggregation, EventType, Query
from stats_pipeline.queries.config import CONFIG_KEYS
from stats_pipeline.queries.row_metrics import DEFAULT
from stats_pipeline.registry.config import (
    DOUBLE_CLICK_RULES,
    INDEX_INTERVALS,
    SALT_WINDOWS,
    AggregatorConfig,
    ProcessorConfig,
)
from stats_pipeline.registry.definitions import EVENT_FIELDS
from stats_pipeline.registry.items import AGGREGATIONS, EVENTS, QUERIES
from tests.docs.conftest import page

DECLARATIONS = {
    "## Event type": EventType,
    "### `processor_config`": ProcessorConfig,
    "## Aggregation": Aggregation,
    "### `aggregator_config`": AggregatorConfig,
    "## Query": Query,
}

CHOICES = {
    "double_click_rule": DOUBLE_CLICK_RULES,
    "salt_window": SALT_WINDOWS,
    "index_interval": INDEX_INTERVALS,
    "aggregation_interval": INTERVALS,
}

#: Where the headings of a section's names come from.
EXPORTED: Mapping[str, list[str]] = {
    "## Preprocessors": preprocessors.__all__,
    "## Query modifiers": [name for name in aggregations.__all__ if name.startswith("exclude")],
    "## Metrics": [kind.__name__ for kind in get_args(Metric)],
    "## Permissions": [
        name
        for name, function in getmembers(permissions, isfunction)
        if list(signature(function).parameters) == ["_query_name", "_params"]
    ],
    "## Query": [
        "query_config",
        *(name for name in queries.__all__ if not name.startswith("ES")),
    ],
}


def _section(heading: str) -> str:
    """Return what stands below a heading, up to the next one that is not below it."""
    level = heading.split(maxsplit=1)[0]
    text = page("docs/registration.md")
    found = re.search(
        rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found, f"docs/registration.md has no {heading!r}"
    return found[1]


def _rows(heading: str) -> dict[str, list[str]]:
    """Return the first table below a heading: key -> type, default, meaning."""
    first = re.split(r"^#", _section(heading), flags=re.MULTILINE)[0]
    lines = re.findall(r"^\| `(\w+)` \|(.*)\|$", first, re.MULTILINE)
    return {key: [cell.strip() for cell in rest.split("|")] for key, rest in lines}


def _shown(field: Field[Any]) -> str:
    if field.default is MISSING and field.default_factory is MISSING:
        return "required"
    made = field.default_factory
    return f"`{_value(field.default if made is MISSING else made())}`"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str) and ":" in value:  # what a dotted path leads to
        return value.rpartition(":")[2]
    return f'"{value}"' if isinstance(value, str) else str(value)


@pytest.mark.parametrize("heading", DECLARATIONS)
def test_every_key_stands_in_its_table_with_its_default(heading: str) -> None:
    """In the order of the declaration, and nothing else stands there."""
    declared = {field.name: _shown(field) for field in fields(DECLARATIONS[heading])}
    rows = _rows(heading)
    assert {key: cells[1] for key, cells in rows.items()} == declared
    assert list(rows) == list(declared)
    for key in CHOICES.keys() & rows.keys():
        assert re.findall(r"`(\w+)`", rows[key][0]) == list(CHOICES[key]), key


def test_every_key_of_a_query_config_stands_in_its_table() -> None:
    """With what the three query classes take where it is left out."""
    rows = _rows("### `query_config`")
    assert list(rows) == list(CONFIG_KEYS)
    assert rows["metric_fields"][1] == f"`{_as_code(DEFAULT)}`"


def _as_code(value: object) -> str:
    return repr(value).replace("'", '"')


@pytest.mark.parametrize("heading", EXPORTED)
def test_every_exported_name_has_its_heading(heading: str) -> None:
    """In the section of its kind, and no other name has one."""
    headings = re.findall(r"^### `(\w+)`$", _section(heading), re.MULTILINE)
    assert sorted(headings) == sorted(EXPORTED[heading])


def test_the_three_groups_are_named_with_their_settings() -> None:
    """The table at the top says where each kind comes from and what overrides it."""
    for group in (EVENTS, AGGREGATIONS, QUERIES):
        line = rf"^\| `{re.escape(group.entry_point_group)}` .*`{group.setting}` \|$"
        assert re.search(line, page("docs/registration.md"), re.MULTILINE), group.kind


def test_the_field_types_and_the_fields_of_every_event_are_listed() -> None:
    """Both lists are those of the code, in its order."""
    lists = [
        re.findall(r"`(\w+)`", paragraph)
        for paragraph in re.split(r"\n\n", _section("## Index templates"))
        if paragraph.startswith("`")
    ]
    assert lists == [list(FIELD_TYPES), list(EVENT_FIELDS)]
