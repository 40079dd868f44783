"""What is recorded at first use and can't change afterwards without changing what was counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stats_pipeline.errors import DefinitionError
from stats_pipeline.stores.protocol import Record, State

KIND = "fixed"


def hold(state: State, alias: str, values: Mapping[str, Any], *, title: str, way_out: str) -> None:
    """Record these values at first use; refuse others later, naming them and the way out.

    Raises:
        DefinitionError: the recorded values differ.
    """
    (record,) = state.get(KIND, [alias])
    if record is None:
        state.create(Record(KIND, alias, body=values))
        (record,) = state.get(KIND, [alias])
    recorded = values if record is None else record.body
    for key, value in values.items():
        if recorded.get(key, value) != value:
            raise DefinitionError(
                f"{title}: {key} was {recorded[key]!r} when it was first used and is {value!r} "
                f"now; {way_out}"
            )


def renew(state: State, alias: str, values: Mapping[str, Any]) -> None:
    """Record these values in place of those that were recorded."""
    (record,) = state.get(KIND, [alias])
    if record is None:
        state.create(Record(KIND, alias, body=values))
    elif record.body != values:
        state.swap([replace(record, body=values)])
