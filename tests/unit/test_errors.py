"""Errors: one tree, whose messages say what is near or known."""

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline import errors
from stats_pipeline.errors import (
    InvalidEvent,
    InvalidParameter,
    PermissionDenied,
    StatsError,
    UnknownAggregation,
    UnknownEventType,
    UnknownName,
    UnknownQuery,
    nearest,
    without_title,
)

CLASSES = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if issubclass(member, Exception)
]


def test_all_errors_are_in_the_tree_at_the_top_of_the_file() -> None:
    """It is the page that people read, so it must be complete and true."""
    depth = {error.__name__: len(_ancestors(error)) for error in CLASSES}
    lines = re.findall(r"^([│├└─ ]*)([A-Z]\w+)", errors.__doc__ or "", flags=re.MULTILINE)
    shown = {name: len(indent) // 4 for indent, name in lines if name in depth}
    assert shown == depth


def _ancestors(error: type[Exception]) -> list[type]:
    """Return the errors of ours that it is a kind of."""
    return [base for base in error.__mro__[1:] if issubclass(base, StatsError)]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_says_what_it_says(error: type[Exception]) -> None:
    """And is a child of the one root."""
    assert issubclass(error, StatsError)
    assert error.__doc__


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UnknownName, "name"),
        (UnknownEventType, "event type"),
        (UnknownAggregation, "aggregation"),
        (UnknownQuery, "statistic"),
    ],
)
def test_A004_05_58_an_unknown_name_carries_the_name_and_what_is_known(
    error: type[UnknownName], kind: str
) -> None:
    """As attributes too, so that nobody has to read the message."""
    raised = error("sael", ["view", "sale"])
    assert (raised.name, raised.known) == ("sael", ["sale", "view"])
    assert str(raised) == f"Unknown {kind} 'sael'; did you mean 'sale'?"
    assert str(error("sael")) == f"Unknown {kind} 'sael'"
    assert str(error(5, ["sale"], " in X")) == f"Unknown {kind} '5' in X; known: sale"


def test_errors_carry_the_field_parameter_or_query_they_are_about() -> None:
    """For programs that show them to people."""
    assert InvalidEvent("wrong", field="size").field == "size"
    assert InvalidParameter("wrong", parameter="interval").parameter == "interval"
    assert "'sales'" in str(PermissionDenied("sales"))


@given(st.lists(st.text(min_size=1), unique=True))
def test_a_known_name_is_its_own_nearest(names: list[str]) -> None:
    """So a message never suggests something else for what is right."""
    for name in names:
        assert nearest(name, names) == f"; did you mean {name!r}?"


def test_where_nothing_is_near_the_known_names_are_listed_up_to_a_limit() -> None:
    """Twenty-four of them, with how many more there are."""
    names = [f"name{number:02}" for number in range(27)]
    assert nearest("zzz", names) == f"; known: {', '.join(names[:24])} and 3 more"
    assert nearest("zzz", names[:2]) == "; known: name00, name01"
    assert nearest("zzz", []) == ""


def test_of_names_that_are_about_as_near_the_one_that_begins_so_is_meant() -> None:
    """Who shortens a name drops its end; a name that is much nearer is meant all the same."""
    assert (
        nearest("boot-tot", ["boot-month-agg", "boot-tag-agg"]) == "; did you mean 'boot-tag-agg'?"
    )
    names = ["visit-2017-01", "visit-2017-02"]
    assert nearest("visit-2017-1", names) == "; did you mean 'visit-2017-01'?"
    names = ["boot-tag-agg", "page-agg"]
    assert nearest("p-boot-tag-agg", names) == "; did you mean 'boot-tag-agg'?"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("evnt", "'event'"),
        ("field", "'aggregation_field'"),
        ("agregation_field", "'aggregation_field'"),
        ("interval", "'aggregation_interval' or 'index_interval'"),
        ("fields", "'copy_fields'"),
    ],
)
def test_a_part_of_a_name_means_that_name_unless_it_is_a_slip_in_another(
    name: str, meant: str
) -> None:
    """A whole word counts for more than letters that happen to be alike."""
    keys = ["aggregation_field", "aggregation_interval", "copy_fields", "event", "index_interval"]
    assert nearest(name, keys) == f"; did you mean {meant}?"


def test_at_most_three_names_are_meant_by_a_part_of_them() -> None:
    """Those that are most like it, and all in one sentence."""
    names = ["a_url", "b_url", "c_url", "long_name_of_a_url"]
    assert nearest("url", names) == "; did you mean 'a_url', 'b_url' or 'c_url'?"


def test_what_all_names_begin_with_makes_none_of_them_nearer() -> None:
    """`STATS_FOO` has seven letters in common with each setting, and means none."""
    names = ["STATS_SPOOL", "STATS_STORE_URL"]
    assert nearest("STATS_FOO", names, prefix="STATS_") == "; known: STATS_SPOOL, STATS_STORE_URL"
    assert nearest("STATS_STORE", names, prefix="STATS_") == "; did you mean 'STATS_STORE_URL'?"
    assert nearest("STATS_SPOL", names, prefix="STATS_") == "; did you mean 'STATS_SPOOL'?"


def test_a_title_is_not_repeated_behind_itself() -> None:
    """Only at its beginning, where it stands for whose error it is."""
    assert without_title(StatsError("query 'x': no 'y'"), "query 'x'") == "no 'y'"
    assert without_title(StatsError("no query 'x': z"), "query 'x'") == "no query 'x': z"
