"""What people know of a value outlives whatever is computed."""

from tests.aggregations.host import take, update, visits
from tests.moving.conftest import Make

QUERY = {
    "query_class": "stats_pipeline:TermsQuery",
    "permission": "stats_pipeline.permissions:allow_everyone",
    "query_config": {
        "aggregation": "pages-agg",
        "aggregated_fields": ["page"],
        "annotations": {"page": ["released_on"]},
    },
}


def test_annotations_are_never_touched_by_update_recompute_or_reset(make: Make) -> None:
    """A fact set before any row stays, also where its row vanishes and comes back."""
    pipeline = make()
    pipeline.settings["STATS_QUERIES"] = {"pages": QUERY}
    pipeline.annotations.set("page", "/a", {"released_on": "2017-01-02"})
    event = {"timestamp": "2017-01-19T10:00Z", "page": "/a", "event_id": "1"}
    for number, withdrawn in enumerate([False, True, False]):
        take(pipeline, [{**event, "withdrawn": withdrawn, "revision": number}])
        take(pipeline, visits(("2017-01-19T10:00Z", "/b"), event_id="2", revision=number))
        update(pipeline)
        pages = {
            bucket["key"]: bucket["annotations"]["page"]["released_on"]
            for bucket in pipeline.query("pages")["buckets"]
        }
        assert pages == {"/b": None} if withdrawn else {"/a": "2017-01-02", "/b": None}
        pipeline.reset()
        pipeline.reset(start="2017-01-19", end="2017-01-19")
    assert pipeline.annotations.get("page", "/a") == {"released_on": "2017-01-02"}
