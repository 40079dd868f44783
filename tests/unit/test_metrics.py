"""Metrics: the short form and the objects mean the same; anything else is refused."""

from typing import Any

import pytest

from stats_pipeline import Count, Filter, First, Last, Max, Mean, Min, Sum, Unique, Where
from stats_pipeline.errors import DefinitionError
from stats_pipeline.metrics import Metric, parse_metric


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        ("sum", Sum("size")),
        ("unique", Unique("size")),
        ("min", Min("size")),
        ("max", Max("size")),
        ("mean", Mean("size")),
        ("first", First("size")),
        ("last", Last("size")),
    ],
)
def test_B20_the_short_form_means_the_object(kind: str, metric: Metric) -> None:
    """As a tuple, or as a list as JSON has it; objects are taken as they are."""
    assert parse_metric((kind, "size"), owner="shop") == metric
    assert parse_metric([kind, "size"], owner="shop") == metric
    assert parse_metric(metric, owner="shop") is metric


def test_a_count_needs_no_field_and_may_have_a_condition() -> None:
    """The short form has a place for the field all the same."""
    assert parse_metric(("count", None), owner="shop") == Count()
    filtered = Count(where=Where("reason", include=["UNKNOWN"]))
    assert parse_metric(filtered, owner="shop").where == Where("reason", include=["UNKNOWN"])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (("summ", "size"), "('summ', 'size') is not a metric.*did you mean 'sum'"),
        (("percentiles", "size"), "is not a metric.*known: count, first, last, max, mean, min"),
        (("sum",), "('sum',) is not a metric"),
        (("sum", "size", 1), "is not a metric"),
        ("sum", "'sum' is not a metric.*known: count, first, last, max, mean, min, sum, unique"),
        (None, "None is not a metric"),
        ((), "() is not a metric"),
        (([], "size"), "is not a metric"),
        (("sum", ""), "needs the name of a field"),
        (("sum", None), "needs the name of a field"),
    ],
)
def test_W5_what_is_no_metric_is_refused_with_the_nearest(spec: Any, message: str) -> None:
    """None is allowed at first and crashes later."""
    pattern = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(DefinitionError, match=f"shop: .*{pattern}"):
        parse_metric(spec, owner="shop")


@pytest.mark.parametrize("where", ["reason", {"reason": ["x"]}, [Where("reason", ["x"])]])
def test_what_is_no_condition_of_a_metric_is_refused(where: Any) -> None:
    """It says what to write."""
    for metric in (Count(where=where), Sum("size", where=where)):
        with pytest.raises(DefinitionError, match=r"shop: where=.* is neither a Where, such as .*"):
            parse_metric(metric, owner="shop")


def test_A000_28_a_filter_of_a_metric_without_conditions_is_refused() -> None:
    """As is a `Where` without values: it would keep everything."""
    with pytest.raises(
        DefinitionError, match=r"shop: where=Filter\(\) of a Count keeps everything"
    ):
        parse_metric(Count(where=Filter()), owner="shop")
    one = Where("kind", ["crash"])
    both = Filter((one, Where("reason", exclude=["UNKNOWN"])))
    assert parse_metric(Count(where=both), owner="shop").filter == both
    assert Count(where=one).filter == Filter((one,))
    assert repr(Count(where=Filter((one,)))) == repr(Count(where=one))
    assert Count().filter == Filter()
