"""A host's app: queries of its own, and who calls in a header."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from flask import Flask, request

from stats_pipeline import DateHistogramQuery, StatsPipeline, TermsQuery
from stats_pipeline.errors import DefinitionError, PartialResult, StoreUnavailable
from stats_pipeline.permissions import allow_everyone, authenticated, deny_all


class Ratio:
    """Be a host's statistic that reads no rows: whatever `answer` is."""

    def __init__(self, name: str, answer: Any = None, raises: Exception | None = None) -> None:
        self.name, self.answer, self.raises = name, answer, raises

    def run(self, **params: Any) -> Any:
        """Return the configured answer, or the parameters."""
        if self.raises is not None:
            raise self.raises
        return params if self.answer is None else self.answer


def owns_bucket(query_name: str, params: Mapping[str, Any]) -> bool:
    """Permit what the caller owns: user u1 has bucket 20."""
    is_owner = request.headers.get("X-User") == "u1" and str(params.get("bucket_id")) == "20"
    return query_name == "own" and is_owner


class Need:
    """Be what permission factories of invenio-stats return: always true, whatever it allows."""

    def can(self) -> bool:
        """Refuse."""
        return False


async def asks_later(_query_name: str, _params: Mapping[str, Any]) -> bool:
    """Refuse, as soon as somebody waits for it."""
    return False


def says(verdict: object) -> Callable[[str, Mapping[str, Any]], object]:
    """Return a permission that always returns this."""
    return lambda _query_name, _params: verdict


def host_query(permission: Any = allow_everyone, **config: Any) -> dict[str, Any]:
    """Return the registration of a host's query."""
    return {"query_class": Ratio, "query_config": config, "permission": permission}


#: Says itself how fresh it is.
FRESH = {"as_of": "2016-12-18T10:00:00.000Z", "value": 1}

#: What a database gives.
BILLS = [
    {
        "key": date(2026, 1, 1),
        "at": datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1))),
        "naive": datetime(2026, 1, 1, 12),  # noqa: DTZ001
        "price": Decimal("1.5"),
        "parts": (1, Decimal(2)),
    }
]

QUERIES: dict[str, Any] = {
    "ratio": host_query(answer={"value": 100}),
    "fresh": host_query(answer=FRESH),
    "echo": host_query(),
    "list": host_query(answer=[1, "two", None]),
    "zero": host_query(answer=0),
    "nan": host_query(answer={"value": float("nan")}),
    "object": host_query(answer=object()),
    "hostile": host_query(answer={"path": "=cmd()\x1b[2J<script>\ud800", "delta": -4.0}),
    "crash": host_query(raises=ZeroDivisionError("private detail")),
    "misconfigured": host_query(raises=DefinitionError("private: no such field")),
    "outage": host_query(raises=StoreUnavailable("no answer at http://user:secret@host")),
    "partial": host_query(raises=PartialResult("1 of 2 shards")),
    "visitors": {
        "query_class": DateHistogramQuery,
        "query_config": {
            "index": "stats-file-download",
            "required_filters": {"bucket_id": "bucket_id"},
            "metric_fields": {
                "value": ("unique", "unique_count"),
                "downloads": ("sum", "count"),
            },
        },
        "permission": allow_everyone,
    },
    "by-label": {
        "query_class": DateHistogramQuery,
        "query_config": {
            "index": "stats-file-download",
            "copy_fields": {"label": "file_key", "label_": "bucket_id"},
            "required_filters": {"file_key": "file_key"},
            "metric_fields": {"visits": ("sum", "unique_count")},
        },
        "permission": allow_everyone,
    },
    "by-file": {
        "query_class": TermsQuery,
        "query_config": {
            "index": "stats-file-download",
            "aggregated_fields": ["bucket_id", "file_key"],
            "copy_fields": {"copied": "unique_id"},
            "annotations": {"file_key": ["title"]},
        },
        "permission": allow_everyone,
    },
    "by-number": {
        "query_class": TermsQuery,
        "query_config": {
            "index": "stats-file-download",
            "required_filters": {"item": "unique_id"},
            "aggregated_fields": ["file_key"],
            "metric_fields": {"file_key": ("sum", "unique_count")},
        },
        "permission": allow_everyone,
    },
    "docks": host_query(answer={"buckets": [{"key": "Harbour", "type": "sea", "free": 0}]}),
    "bills": host_query(answer={"buckets": BILLS}),
    "asked": host_query(answer={"queries": [{"parameters": 5}]}),
    "numbered": host_query(answer={1: "one", "two": 2}),
    "secret": host_query(permission=deny_all),
    "members": host_query(permission=authenticated),
    "own": host_query(permission=owns_bucket),
    "need": host_query(permission=says(Need())),
    "later": host_query(permission=asks_later),
    "text": host_query(permission=says("no")),
    "one": host_query(permission=says(1)),
    "none": host_query(permission=says(None)),
}


def make_app(instance_path: str, **settings: Any) -> Flask:
    """Return an app with the queries above, on the embedded store unless settings say otherwise."""
    app = Flask("host", instance_path=instance_path)
    app.config.update(
        STATS_STORE_URL=f"sqlite:///{instance_path}/stats.db",
        STATS_EVENTS={"file-download": {}},
        STATS_QUERIES=QUERIES,
        STATS_IDENTITY=lambda: request.headers.get("X-User"),
    )
    app.config.update(settings)
    StatsPipeline(app)
    return app
