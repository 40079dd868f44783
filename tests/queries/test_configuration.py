"""What a query may be declared with."""

from typing import Any

import pytest

import stats_pipeline.queries as package
from stats_pipeline.errors import DefinitionError, StatsError
from stats_pipeline.queries import DateHistogramQuery, TermsQuery, TotalsQuery


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"doc_type": "file-download-day-aggregation"}, "'doc_type': .* leave it out"),
        ({"client": object()}, "'client': .*STATS_STORE_URL"),
        ({"requried_filters": {}}, "did you mean 'required_filters'"),
        ({"aggregation": "x-agg"}, "give one of 'index' and 'aggregation'"),
        ({"index": None}, "give one of 'index' and 'aggregation'"),
        ({"aggregated_fields": ["file_id"]}, "only a TermsQuery"),
        ({"required_filters": {"interval": "interval"}}, "a filter can't be called 'interval'"),
        ({"optional_filters": {"format": "format"}}, "a filter can't be called 'format'"),
        ({"copy_fields": {"key": "file_key"}}, "two things called 'key'"),
        ({"copy_fields": {"value": "file_key"}}, "two things called 'value'"),
        ({"metric_fields": {"date": ("max", "count")}}, "two things called 'date'"),
        ({"index": ["stats-x"]}, r"index must be the alias of .* rows, not \['stats-x'\]"),
        ({"required_filters": ["bucket_id"]}, "required_filters must be a dict"),
        ({"optional_filters": {"bucket": None}}, "None is not the name of a row field"),
        ({"copy_fields": "file_key"}, "copy_fields must be a dict, not 'file_key'"),
        ({"copy_fields": {"name": 5}}, r"copy_fields\['name'\] is a field's name or a callable"),
        ({"metric_fields": [("sum", "count")]}, "metric_fields must be a dict"),
        ({"aggregated_fields": "file_id"}, "aggregated_fields must be a list, not 'file_id'"),
    ],
)
def test_A004_50_a_configuration_that_can_not_work_is_refused_by_name(
    config: dict[str, Any], message: str
) -> None:
    """The error names the query, the key and what to do; the original's doc type is one of them."""
    for query_class in (DateHistogramQuery, TotalsQuery):
        with pytest.raises(DefinitionError, match=f"query 'mine': .*{message}"):
            query_class("mine", **{"index": "stats-file-download", **config})


def test_T004_17_optional_filters_are_beside_required_ones() -> None:
    """Each filter says whether it is required, and how to give it."""
    query = TermsQuery(
        "mine",
        index="stats-file-download",
        required_filters={"bucket": "bucket_id"},
        optional_filters={"file": "file_id"},
    )
    described = {parameter["name"]: parameter for parameter in query.parameters}
    assert list(described) == ["start_date", "end_date", "size", "bucket", "file", "source"]
    assert described["bucket"]["required"] is True
    assert described["file"]["required"] is False
    assert described["file"]["type"] == "value or list of values"


def test_a_filter_has_no_name_of_a_parameter_of_its_class() -> None:
    """`size` is one of a terms query only."""
    filters = {"size": "size_class"}
    TotalsQuery("mine", index="stats-file-download", optional_filters=filters)
    with pytest.raises(DefinitionError, match="a filter can't be called 'size'"):
        TermsQuery("mine", index="stats-file-download", optional_filters=filters)


def test_a_histogram_says_which_intervals_there_are() -> None:
    """The listing shows what a parameter takes, where that can be said."""
    query = DateHistogramQuery("mine", index="stats-file-download")
    described = {parameter["name"]: parameter for parameter in query.parameters}
    assert described["interval"]["allowed"] == ["hour", "day", "week", "month", "quarter", "year"]
    assert described["zero_fill"]["allowed"] == ["true", "false"]


def test_the_names_of_invenio_stats_are_aliases() -> None:
    """A host that moves here keeps the class names of its configuration."""
    assert package.ESDateHistogramQuery is DateHistogramQuery
    assert package.ESTermsQuery is TermsQuery
    assert package.ESTotalsQuery is TotalsQuery


def test_a_query_outside_of_a_run_says_how_to_run_it() -> None:
    """Without the pipeline around it a query has no store, and says who gives it one."""
    with pytest.raises(StatsError, match=r"current_stats\.query"):
        TotalsQuery("mine", index="stats-file-download").run()
