"""Counters of a process for Prometheus; needs ``stats_pipeline[prometheus]``.

Where the host has a page of metrics, it adds ours to it::

    from prometheus_client import REGISTRY
    from stats_pipeline.prometheus import ProcessCollector

    REGISTRY.register(ProcessCollector(app))

They are "at least" figures: a process that is killed takes its counters with it, and each of
several web or worker processes has its own. What adds up is `stats balance`.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from stats_pipeline.ext import NAME


class ProcessCollector(Collector):
    """Collect what this process has done with the events of an app."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Yield the families without numbers, so that registering opens no connection."""
        yield from _families()

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counters as they are now."""
        counters = self._app.extensions[NAME].counters()
        published, failed, processed = _families()
        for outcome in ("sent", "spooled", "refused", "lost"):
            published.add_metric([outcome], counters.published.get(outcome, 0))
        for event_type, number in counters.failed_signals.items():
            failed.add_metric([event_type], number)
        for (event_type, outcome), number in counters.processed.items():
            processed.add_metric([event_type, outcome], number)
        yield from (published, failed, processed)


def _families() -> tuple[CounterMetricFamily, CounterMetricFamily, CounterMetricFamily]:
    return (
        CounterMetricFamily(
            "stats_pipeline_published_events",
            "Events that this process sent, spooled, refused to its caller or lost",
            labels=["outcome"],
        ),
        CounterMetricFamily(
            "stats_pipeline_failed_signals",
            "Signals of which a builder made no event",
            labels=["event_type"],
        ),
        CounterMetricFamily(
            "stats_pipeline_processed_events",
            "Events that this process took from the queue, by what became of them",
            labels=["event_type", "outcome"],
        ),
    )
