"""A host application in which a builder, a query class and an aggregator have a bug each.

Configured by variables such as HOST_STATS_STORE_URL.
"""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from flask import Flask

from stats_pipeline import StatAggregator, StatsPipeline, current_stats
from stats_pipeline.contrib.file_download.signals import file_downloaded
from stats_pipeline.permissions import allow_everyone


def build_nothing(event: dict[str, Any], _sender: object, **_signal: Any) -> NoReturn:
    """Fail, as a builder that was written for another signal."""
    raise LookupError(f"a bug in a builder, met by {event}")


class BrokenQuery:
    """Be a host's statistic with a bug."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self) -> NoReturn:
        """Fail."""
        raise LookupError(f"a bug in the query class of {self.name}")


class BrokenAggregator(StatAggregator):
    """Be a host's aggregator with a bug."""

    def rows(self, events: Any, period: Any) -> Iterator[Any]:
        """Fail."""
        raise LookupError(f"a bug in an aggregator, met in {period} of {events}")


app = Flask(__name__, instance_path=str(Path.cwd() / "instance"))
app.config.from_prefixed_env("HOST")
app.config.setdefault(
    "STATS_EVENTS", {"file-download": {"event_builders": [build_nothing]}, "record-view": {}}
)
app.config["STATS_AGGREGATIONS"] = {"record-view-agg": {"aggregator_class": BrokenAggregator}}
app.config["STATS_QUERIES"] = {
    "broken": {"query_class": BrokenQuery, "permission": allow_everyone},
}
StatsPipeline(app)


@app.get("/download")
def download() -> str:
    """Send the signal of a download."""
    file = SimpleNamespace(bucket_id="20", file_id="f-1", key="file1.txt", size=10)
    file_downloaded.send(app, obj=file)
    return "a file"


@app.get("/view")
def view() -> str:
    """Publish the view of a record."""
    current_stats.publish("record-view", [{"record_id": "r", "pid_type": "id", "pid_value": "1"}])
    return "a record"
