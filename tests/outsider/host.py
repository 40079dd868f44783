"""A day's work of the museum's application; run as a program by test_museum.py.

Reads what happens from standard input, sends it as requests, processes and updates, and prints the
answers to what was asked, all as JSON.
"""

import json
import sys
from importlib import import_module
from typing import Any

from stats_pipeline import current_stats


def main(script: dict[str, Any]) -> dict[str, Any]:
    """Return what came of the requests of the script."""
    # The package is installed for this program only; type checkers don't see it.
    app = import_module("museum.app").create_app()
    client = app.test_client()
    for path, body, agent in script["requests"]:
        assert client.post(path, json=body, headers={"User-Agent": agent}).status_code == 200
    with app.app_context():
        processed = current_stats.process_events().as_dict()
        current_stats.update()
        again = current_stats.update().as_dict()
    questions, staff = script["questions"], {"X-Staff-Key": "sesame"}
    wrong = client.get("/stats/ticket-use?start_date=soon", headers=staff)
    anonymous = client.post("/stats", json=questions)
    return {
        "processed": processed,
        "again": again,
        "answers": client.post("/stats", json=questions, headers=staff).get_json(),
        "anonymous": [anonymous.status_code, anonymous.get_json().get("label")],
        "wrong_day": [wrong.status_code, wrong.get_json().get("parameter")],
        "dashboard": client.get("/stats/dashboard?query=gate-days&gate=north").get_data(True),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.load(sys.stdin))))
