"""What is recorded at first use and can't change afterwards without changing what was counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stats_pipeline.errors import DefinitionError
from stats_pipeline.stores.protocol import Record, State

KIND = "fixed"


def hold(state: State, name: str, values: Mapping[str, Any], *, title: str, way_out: str) -> None:
    """Record these values at first use; refuse others later, naming them and the way out.

    Raises:
        DefinitionError: the recorded values differ.
    """
    if state.get(KIND, [name]) == [None]:
        state.create(Record(KIND, name, body=values))
    check(state, name, values, title=title, way_out=way_out)


def check(state: State, name: str, values: Mapping[str, Any], *, title: str, way_out: str) -> None:
    """Refuse other values than the recorded ones, as `hold` does, but record nothing."""
    (record,) = state.get(KIND, [name])
    recorded = values if record is None else record.body
    for key, value in values.items():
        if recorded.get(key, value) != value:
            raise DefinitionError(
                f"{title}: {key} was {recorded[key]!r} when it was first used and is {value!r} "
                f"now; {way_out}"
            )
