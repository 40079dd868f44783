"""Forgetting: delete state records that have become too old to be of use."""

from __future__ import annotations

from datetime import datetime

from stats_pipeline.stores.protocol import State


def forget(state: State, kind: str, *, before: datetime) -> None:
    """Delete the records of a kind whose time is before this one."""
    for record in state.find(kind, end=before):
        state.delete(record)
