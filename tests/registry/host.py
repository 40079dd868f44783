"""A host with the installed package; run as a program by test_installed_package.py.

Sends the events of E004 as signals through the whole chain and prints what came of them as JSON.
"""

import json
import sys
from typing import Any

from flask import Flask

from stats_pipeline import StatsPipeline, current_stats
from stats_pipeline.importing import load
from tests.support import E004_EVENTS, pipeline_of

MY_STAT = {"start_date": "2016-12-18", "end_date": "2016-12-19", "bucket_id": 20}
INTERVALS = ("day", "week", "month", "quarter", "year")
HISTOGRAM = "bucket-file-download-histogram"


def main(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return what was processed, aggregated and answered."""
    app = Flask("host", instance_path=configuration.pop("instance_path"))
    app.config.update(configuration)
    StatsPipeline(app)
    signal = load("my_app.signals.file_downloaded", owner="host")
    with app.app_context():
        for download in E004_EVENTS:
            signal.send(app, download=download)
        taken = current_stats.flush()
        processed = current_stats.process_events()
        updates = [current_stats.update() for _ in range(2)]
    registries = pipeline_of(app).registries
    client = app.test_client()
    answers = client.post("/stats", json=_requests())
    result = {
        "flushed": taken,
        "owner": registries.event_type("file-download").owner,
        "other_event_types": sorted(registries.event_items),
        "processed": processed.as_dict(),
        "updates": [update.as_dict()["aggregations"]["file-download-agg"] for update in updates],
        "answers": answers.get_json(),
        "without_file_key": _refusal(client, HISTOGRAM, MY_STAT),
        "unknown": _refusal(client, "nope", {}),
    }
    pipeline_of(app).close()
    return result


def _requests() -> dict[str, Any]:
    histograms = {
        f"mystat-{interval}": {
            "stat": HISTOGRAM,
            "params": {**MY_STAT, "file_key": "file1.txt", "interval": interval},
        }
        for interval in INTERVALS
    }
    total = {"stat": "bucket-file-download-total", "params": {"bucket_id": "20"}}
    return {**histograms, "total": total}


def _refusal(client: Any, stat: str, params: dict[str, Any]) -> tuple[int, str]:
    answer = client.post("/stats", json={"mystat": {"stat": stat, "params": params}})
    return answer.status_code, answer.get_data(as_text=True)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))))
