"""What the package offers: the names of the contract, each importable and documented."""

from importlib import import_module

import pytest

import stats_pipeline

#: What DESIGN.md 3.1 and 3.2 promise; additions are welcome, renames are not.
PROMISED = {
    "stats_pipeline": (
        "StatsPipeline current_stats EventType Aggregation Query EventsIndexer StatAggregator "
        "DateHistogramQuery TermsQuery TotalsQuery Drop Filter Where "
        "Unique Sum Count Min Max Mean First Last"
    ),
    "stats_pipeline.events.preprocessors": (
        "flag_robots flag_machines drop_robots drop_machines anonymize_user "
        "build_file_unique_id build_record_unique_id"
    ),
    "stats_pipeline.aggregations": "exclude_robots exclude_machines",
    "stats_pipeline.permissions": "allow_everyone authenticated deny_all",
    "stats_pipeline.errors": "StatsError UnknownEventType InvalidEvent ConfigurationError",
}


@pytest.mark.parametrize("module", PROMISED)
def test_what_is_promised_can_be_imported(module: str) -> None:
    """By exactly these names."""
    for name in PROMISED[module].split():
        assert hasattr(import_module(module), name), name


def test_all_says_what_can_be_imported() -> None:
    """And `dir` shows it, although nothing is loaded before its use."""
    assert sorted(stats_pipeline.__all__) == stats_pipeline.__all__
    assert set(stats_pipeline.__all__) >= set(PROMISED["stats_pipeline"].split())
    assert set(stats_pipeline.__all__) <= set(dir(stats_pipeline))
    for name in stats_pipeline.__all__:
        assert getattr(stats_pipeline, name) is not None


def test_every_public_name_says_what_it_promises() -> None:
    """In the first line of its docstring, as a sentence."""
    for name in set(stats_pipeline.__all__) - {"current_stats"}:
        line = (getattr(stats_pipeline, name).__doc__ or "").splitlines()[0]
        assert line.endswith("."), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'Statistics'"):
        _ = stats_pipeline.Statistics
