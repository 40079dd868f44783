"""Join annotations to an answer, where its query is declared with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stats_pipeline.model import Filter, Where
from stats_pipeline.queries.annotations import Annotations, Facts, value_text

#: Where facts stand in an answer and in its buckets.
KEY = "annotations"


def add_annotations(
    answer: dict[str, Any],
    wanted: Mapping[str, Sequence[str]],
    annotations: Annotations,
    *,
    asked: Filter,
    filtered: frozenset[str],
) -> None:
    """Add to the answer, and to each bucket of an annotated field, what is known of its value.

    A fact that nobody has set is None. The answer itself has the facts of those fields of which
    exactly one value was asked for.

    Args:
        answer: of a query; it is changed.
        wanted: row field -> names of the facts.
        annotations: where they are kept.
        asked: which rows the query read.
        filtered: the fields by which it may be filtered.
    """
    if filtered & wanted.keys():
        fixed = {
            clause.field: clause.include[0]
            for clause in asked.clauses
            if isinstance(clause, Where) and clause.include and len(clause.include) == 1
        }
        answer[KEY] = {
            field: _chosen(annotations.get(field, fixed[field]), names)
            for field, names in wanted.items()
            if field in fixed
        }
    level = [answer]
    while level:
        field: str = level[0].get("field", "")
        buckets = [bucket for each in level for bucket in each.get("buckets", ())]
        if field in wanted:
            _annotate(buckets, field, wanted[field], annotations)
        level = buckets


def _annotate(
    buckets: Sequence[dict[str, Any]], field: str, names: Sequence[str], annotations: Annotations
) -> None:
    facts = annotations.facts_of(field, [bucket["key"] for bucket in buckets])
    for bucket in buckets:
        bucket[KEY] = {field: _chosen(facts[value_text(bucket["key"])], names)}


def _chosen(facts: Facts, names: Sequence[str]) -> dict[str, Any]:
    return {name: facts.get(name) for name in names}
