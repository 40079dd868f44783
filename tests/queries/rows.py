"""Rows of an aggregation of downloads, written straight into a store and read by queries."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from stats_pipeline.clock import format_time, parse_time
from stats_pipeline.intervals import IntervalName, period_of
from stats_pipeline.metrics import Mean, Metric, Min, Sum, Unique
from stats_pipeline.queries.annotations import Annotations
from stats_pipeline.queries.reading import Reader, Rows, reading
from stats_pipeline.stores.protocol import Put, Store, Verdict
from stats_pipeline.templates import complete_template

TYPES = {
    "timestamp": "date",
    "start": "date",
    "end": "date",
    "count": "long",
    "unique_id": "keyword",
    "bucket_id": "keyword",
    "file_id": "keyword",
    "file_key": "keyword",
    "is_public": "boolean",
    "size_class": "integer",
    "volume": "double",
    "unique_count": "long",
    "unique_count_sketch": "binary",
    "mean_size": "double",
    "first_seen": "date",
    "note": "text",
    "source": "keyword",
}
METRICS: Mapping[str, Metric] = {
    "volume": Sum("size"),
    "unique_count": Unique("visitor_id"),
    "mean_size": Mean("size"),
    "first_seen": Min("timestamp"),
}
AS_OF = datetime(2016, 12, 20, 6, tzinfo=UTC)


@dataclass
class RowsOfDownloads:
    """Write rows, and run queries on them."""

    store: Store
    prefix: str
    interval: IntervalName = "day"
    zone: tzinfo = field(default=UTC)
    salt_windows: Mapping[str, IntervalName] = field(default_factory=dict)
    takes_history: bool = True

    def __post_init__(self) -> None:
        self.alias = f"{self.prefix}stats-file-download"
        self.index = f"{self.alias}-all"
        self.asked: list[tuple[str | None, str | None]] = []
        self.annotations = Annotations(
            self.store.state, prefix=self.prefix, row_fields=lambda: TYPES
        )

    def of(self, interval: IntervalName, zone: tzinfo = UTC) -> "RowsOfDownloads":
        """Return the same for rows of another interval and zone."""
        return replace(self, interval=interval, zone=zone)

    def salted(self, window: IntervalName) -> "RowsOfDownloads":
        """Return the same for rows whose visitors have other ids in each of these windows."""
        return replace(self, salt_windows={"unique_count": window})

    def write(self, *rows: Mapping[str, Any]) -> None:
        """Write rows, each with a `timestamp` in ISO 8601 and what else it has."""
        properties = {name: {"type": kind} for name, kind in TYPES.items()}
        template = complete_template(self.alias, {}, properties, owner="test")
        self.store.put_template(template)
        self.store.create_index(self.index, template, aliased=True)
        bodies = [self._body(row) for row in rows]
        operations = [
            Put(self.index, f"{body['unique_id']}-{body['timestamp']}", body) for body in bodies
        ]
        results = self.store.bulk(operations)
        assert all(result.verdict is Verdict.DONE for result in results), results
        self.store.refresh([self.index])

    def run(self, query: Any, /, **params: Any) -> dict[str, Any]:
        """Return the query's answer."""
        with reading(Reader(self.store, self._rows, self.annotations)):
            answer: dict[str, Any] = query.run(**params)
        return answer

    def _rows(self, index: str | None, aggregation: str | None) -> Rows:
        self.asked.append((index, aggregation))
        return Rows(
            alias=self.alias,
            aggregation="file-download-agg",
            types=TYPES,
            interval=self.interval,
            zone=self.zone,
            dimensions=("unique_id",),
            metrics=METRICS,
            # Here there is one index only, whoever has counted its rows.
            imported_index=self.index if self.takes_history else None,
            salt_windows=self.salt_windows,
            as_of=AS_OF,
        )

    def _body(self, row: Mapping[str, Any]) -> dict[str, Any]:
        period = period_of(parse_time(row["timestamp"]), self.interval, self.zone)
        return {
            "unique_id": f"{row.get('bucket_id')}_{row.get('file_id')}",
            "count": 1,
            **row,
            "timestamp": format_time(period.start),
            "start": format_time(period.start),
            "end": format_time(period.end),
        }


def numbers(answer: Mapping[str, Any], key: str = "date", number: str = "value") -> dict[Any, Any]:
    """Return key -> number of an answer's buckets, in their order; dates by their day."""
    return {
        bucket[key][:10] if key == "date" else bucket[key]: bucket[number]
        for bucket in answer["buckets"]
    }
