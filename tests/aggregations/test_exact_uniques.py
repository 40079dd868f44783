"""Unique counts of rows are exact, where Elasticsearch by itself gives an estimate."""

from elasticsearch import Elasticsearch

from stats_pipeline.pipeline import Pipeline
from tests.aggregations.conftest import Make
from tests.aggregations.host import table, take, update
from tests.support import Backend

#: As many as the peer's case has, for which it says 20,440.
VISITORS = 20_000


def test_W15_as_many_visitors_as_elasticsearch_can_only_estimate_are_counted_exactly(
    make: Make, backend: Backend
) -> None:
    """20,000 visitors of one page and day, 500 of whom come twice, are 20,000 on both stores.

    The ten of the page before it see to it that they are read in more than one part.
    """
    pipeline = make(aggregations={"pages-agg": {"metrics": {"people": ("unique", "visitor_id")}}})
    take(
        pipeline,
        [
            {"timestamp": "2017-01-01T00:00:00Z", "page": page, "visitor_id": f"v{n % VISITORS}"}
            for page, clicks in (("a", 10), ("b", VISITORS + 500))
            for n in range(clicks)
        ],
    )
    update(pipeline)
    assert table(pipeline) == {("2017-01-01", "a"): 10, ("2017-01-01", "b"): VISITORS + 500}
    people = table(pipeline, field="people")
    assert people == {("2017-01-01", "a"): 10, ("2017-01-01", "b"): VISITORS}
    if backend.broker_url:  # the one on servers
        assert estimate(backend, pipeline) != VISITORS, "no test of what is exact"


def estimate(backend: Backend, pipeline: Pipeline) -> int:
    """Return what Elasticsearch's own `cardinality`, as it is by default, says of these events."""
    aggregations = {"people": {"cardinality": {"field": "visitor_id"}}}
    with Elasticsearch(backend.store_url) as api:
        alias = pipeline.registries.event_type("visit").alias
        answer = api.search(index=alias, size=0, aggregations=aggregations)
    number: int = answer["aggregations"]["people"]["value"]
    return number
