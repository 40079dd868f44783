"""What filters and groups mean, in a few lines of Python: the measure of every store."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import Any

from stats_pipeline.clock import format_time
from stats_pipeline.metrics import Count, First, Last, Mean, Metric, Min, Sum, Unique
from stats_pipeline.model import Between, Filter, Where
from stats_pipeline.sketches import count_and_sketch
from stats_pipeline.stores.protocol import Group

Body = Mapping[str, Any]


def keeps(clause: Where | Between, body: Body) -> bool:
    """Tell whether a clause keeps a document."""
    value = body.get(clause.field)
    if isinstance(clause, Between):
        after = clause.start is None or (value or "") >= format_time(clause.start)
        before = clause.end is None or (value or "") < format_time(clause.end)
        return value is not None and after and before
    values = set(_values(value))
    included = not clause.include or values & set(map(_text, clause.include))
    return bool(included) and not values & set(map(_text, clause.exclude or ()))


def select(where: Filter, bodies: Iterable[Body]) -> list[Body]:
    """Return the documents that a filter keeps."""
    return [body for body in bodies if all(keeps(clause, body) for clause in where.clauses)]


def group(
    bodies: Sequence[Body],
    by: Sequence[str],
    metrics: Mapping[str, Metric],
    newest_by: Sequence[str],
) -> list[Group]:
    """Return the groups of these documents, ascending."""
    members: dict[tuple[Any, ...], list[Body]] = {} if by else {(): []}
    for body in bodies:
        for key in product(*(_values(body.get(field)) for field in by)):
            members.setdefault(key, []).append(body)
    return [
        Group(
            key=key,
            count=len(members[key]),
            values={name: measure(metric, members[key]) for name, metric in metrics.items()},
            newest=max(members[key], key=lambda body: [body[field] for field in newest_by])
            if newest_by and members[key]
            else None,
        )
        for key in sorted(members)
    ]


def measure(metric: Metric, bodies: Sequence[Body]) -> Any:
    """Return a metric of these documents, which have `timestamp` and `event_id`."""
    where = metric.where or Filter()
    kept = select(Filter((where,)) if isinstance(where, Where) else where, bodies)
    if isinstance(metric, Count):
        return len(kept)
    if isinstance(metric, Unique):
        distinct = {value for body in kept for value in _values(body.get(metric.field))}
        return count_and_sketch(distinct) if distinct else (0, None)
    if isinstance(metric, First | Last):
        ordered = sorted(kept, key=lambda body: (body["timestamp"], body["event_id"]))
        position = 0 if isinstance(metric, First) else -1
        return ordered[position].get(metric.field) if ordered else None
    values = [body[metric.field] for body in kept if metric.field in body]
    if isinstance(metric, Sum):
        return sum(values)
    if isinstance(metric, Mean):
        return sum(values) / len(values) if values else None
    return (min if isinstance(metric, Min) else max)(values, default=None)


def _values(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> Any:
    return format_time(value) if isinstance(value, datetime) else value
