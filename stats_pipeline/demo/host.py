"""The host application: a small repository whose records have a page and a file each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask, redirect, request
from werkzeug.wrappers import Response

from stats_pipeline import DateHistogramQuery, StatsPipeline, TermsQuery
from stats_pipeline.model import Event
from stats_pipeline.permissions import allow_everyone

RECORDS = 60
LARGEST_FILE_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class Identifier:
    """Be how the public knows a record."""

    pid_type: str
    pid_value: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Be a file; its size is in bytes."""

    bucket_id: int
    file_id: int
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Record:
    """Be a record with its file."""

    id: int
    pid: Identifier
    file: StoredFile


def catalogue() -> list[Record]:
    """Return all records of the repository, the same ones each time."""
    return [
        Record(
            id=number,
            pid=Identifier("recid", f"{number:04}"),
            file=StoredFile(
                bucket_id=number,
                file_id=1000 + number,
                key=f"report-{number:04}.pdf",
                size=number * 1_299_709 % LARGEST_FILE_BYTES,
            ),
        )
        for number in range(1, RECORDS + 1)
    ]


def use_time_of_signal(
    event: Event, _sender: object, *, at: datetime, event_id: str, **_signal: Any
) -> Event:
    """Give the event the time and the identity that the signal brings.

    The host's own event builder, run after the shipped ones: those say that it happened just now.
    """
    return {**event, "timestamp": at.isoformat(), "event_id": event_id}


def signed_in_user() -> str | None:
    """Return the name of the visitor who makes the current request, None for a stranger."""
    return request.remote_user


def create_app(folder: Path) -> Flask:
    """Return the application; all it keeps is in this folder."""
    app = Flask(__name__, instance_path=str(folder.resolve()), static_folder=None)
    app.config["STATS_IDENTITY"] = signed_in_user
    app.config["STATS_EVENTS"] = {
        "file-download": _with_time_of_signal("file_download", "build_file_download"),
        "record-view": _with_time_of_signal("record_view", "build_record_view"),
        "access-log": {},
    }
    app.config["STATS_QUERIES"] = {
        "downloads": _histogram("Downloads of all files over time", "file-download-agg"),
        "views": _histogram("Views of all records over time", "record-view-agg"),
        "top-files": _terms("Downloads of each file", "file-download-agg", "file_key"),
        "top-records": _terms("Views of each record", "record-view-agg", "pid_value"),
    }
    StatsPipeline(app)

    @app.get("/")
    def home() -> Response:
        """Lead to the page with the charts."""
        return redirect("/stats/dashboard")

    return app


def _with_time_of_signal(package: str, builder: str) -> dict[str, Any]:
    return {
        "event_builders": [
            f"stats_pipeline.contrib.{package}.builders:{builder}",
            "stats_pipeline.events.user:add_user",
            use_time_of_signal,
        ]
    }


def _histogram(description: str, aggregation: str) -> dict[str, Any]:
    return {
        "query_class": DateHistogramQuery,
        "query_config": {"aggregation": aggregation},
        "description": description,
        "permission": allow_everyone,
    }


def _terms(description: str, aggregation: str, field: str) -> dict[str, Any]:
    return {
        "query_class": TermsQuery,
        "query_config": {"aggregation": aggregation, "aggregated_fields": [field]},
        "description": description,
        "permission": allow_everyone,
    }
