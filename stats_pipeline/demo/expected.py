"""Count the traffic in plain Python, with nothing of the pipeline, to compare with what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from stats_pipeline.demo.numbers import Numbers
from stats_pipeline.demo.traffic import DOWNLOAD, Click, Traffic

WINDOW_SECONDS = 10


def count(traffic: Traffic, event_type: str) -> Numbers:
    """Return what should be counted of the events of one type."""
    sent = [c for c in (*traffic.clicks, *traffic.redelivered) if c.event_type == event_type]
    delivered = {click.event_id: click for click in sent}
    kept = {_what_counts_once(click): click for click in delivered.values()}
    people = [click for click in kept.values() if not click.visitor.is_robot]
    return Numbers(
        sent=len(sent),
        redelivered=len(sent) - len(delivered),
        merged=len(delivered) - len(kept),
        robots=len(kept) - len(people),
        per_day=Counter(click.at.date().isoformat() for click in people),
        per_item=Counter(_item(click) for click in people),
    )


def _what_counts_once(click: Click) -> Hashable:
    visitor = click.visitor
    who = visitor.user_id or (visitor.address, visitor.agent)
    return int(click.at.timestamp()) // WINDOW_SECONDS, click.record.id, who


def _item(click: Click) -> str:
    record = click.record
    return record.file.key if click.event_type == DOWNLOAD else record.pid.pid_value
