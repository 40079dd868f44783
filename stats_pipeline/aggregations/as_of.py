"""As of: up to when the rows of an aggregation say what was processed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from stats_pipeline.clock import format_time, parse_time
from stats_pipeline.stores.protocol import Record, Store

KIND = "as-of"


def record_as_of(store: Store, alias: str, started: datetime) -> None:
    """Note that an update that began then is complete; a later one stays noted."""
    state, body = store.state, {"as_of": format_time(started)}
    while True:
        (record,) = state.get(KIND, [alias])
        if record is None:
            is_written = state.create(Record(KIND, alias, body=body))
        elif record.body["as_of"] < body["as_of"]:
            (is_written,) = state.swap([replace(record, body=body)])
        else:
            is_written = True  # a later run was faster
        if is_written:
            return


def read_as_of(store: Store, alias: str) -> datetime | None:
    """Return the start of an aggregation's last complete update, None where there was none."""
    (record,) = store.state.get(KIND, [alias])
    return None if record is None else parse_time(record.body["as_of"])
