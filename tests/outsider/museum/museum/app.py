"""The application at the museum's gates and exhibits."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, request

from stats_pipeline import StatsPipeline

from .signals import exhibit_scanned, gate_entered
from .tickets import Tickets

STAFF = {"sesame": "director"}


def who_calls() -> str | None:
    """Return who asks for statistics, None if that is not known."""
    return STAFF.get(request.headers.get("X-Staff-Key", ""))


def create_app() -> Flask:
    """Return the Flask application."""
    app = Flask(__name__)
    Path(app.instance_path).mkdir(parents=True, exist_ok=True)
    file = str(Path(app.instance_path) / "tickets.db")
    app.config["STATS_EVENTS"] = {"gate-entry": {}, "exhibit-scan": {}}
    app.config["STATS_QUERIES"] = {"ticket-use": {"query_config": {"file": file}}}
    app.config["STATS_IDENTITY"] = who_calls
    app.config.from_prefixed_env()
    StatsPipeline(app)
    tickets = Tickets(file)

    @app.post("/tickets/<number>")
    def sell(number: str) -> dict[str, Any]:
        sold = request.get_json()
        tickets.sell(number, sold["price"], sold["day"])
        return {}

    @app.post("/gates/<gate>")
    def enter(gate: str) -> dict[str, Any]:
        entry = request.get_json()
        at = entry.get("at") or datetime.now(UTC).isoformat()
        price = tickets.use(entry["ticket"], at[:10])
        gate_entered.send(app, ticket=entry["ticket"], gate=gate, price=price, at=at)
        return {"open": True}

    @app.post("/exhibits/<exhibit>")
    def scan(exhibit: str) -> dict[str, Any]:
        seen = request.get_json()
        at = seen.get("at") or datetime.now(UTC).isoformat()
        exhibit_scanned.send(app, exhibit=exhibit, seconds=seen["seconds"], at=at)
        return {}

    return app
