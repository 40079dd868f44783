"""What is registered here without a word of the host: the old configuration meets it by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask

from stats_pipeline import StatsPipeline, current_stats


@dataclass(frozen=True, slots=True)
class Shipped:
    """Know the aggregations and queries that are shipped.

    Attributes:
        aggregations: name -> the event type that it counts.
        queries: name -> the aggregation that it reads, None where its class reads otherwise.
    """

    aggregations: Mapping[str, str]
    queries: Mapping[str, str | None]

    def of(self, event_type: str) -> tuple[list[str], list[str]]:
        """Return the aggregations that count an event type, and the queries that read these."""
        aggregations = [name for name, event in self.aggregations.items() if event == event_type]
        queries = [name for name, read in self.queries.items() if read in aggregations]
        return aggregations, queries


def read_shipped() -> Shipped:
    """Return what is shipped, as an application without settings has it."""
    app = Flask(__name__, static_folder=None)
    app.config["STATS_URL_PREFIX"] = None
    StatsPipeline(app)
    with app.app_context():
        registries = current_stats.registries
        aggregations = {
            name: item.keys["aggregator_config"]["event"]
            for name, item in registries.aggregation_items.items()
            if item.is_shipped
        }
        queries = {
            name: item.keys.get("query_config", {}).get("aggregation")
            for name, item in registries.query_items.items()
            if item.is_shipped
        }
        current_stats.close()
    return Shipped(aggregations, queries)
