"""What commands say is the same everywhere: tables, trees, progress."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.cli.output import Output, amount, table, tree
from stats_pipeline.text import noun

_cells = st.one_of(st.none(), st.booleans(), st.integers(), st.text("abc ", max_size=9))


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(_cells, min_size=n, max_size=n))))
def test_a_table_has_a_line_for_each_row_and_one_for_the_heading(rows: list[list[object]]) -> None:
    """No value makes a table break, and no line ends in spaces."""
    columns = [f"column {number}" for number in range(len(rows[0]) if rows else 1)]
    lines = list(table(rows, columns))
    assert len(lines) == len(rows) + 1
    assert all(line == line.rstrip() for line in lines)


def test_numbers_stand_to_the_right_and_what_is_missing_is_a_dash() -> None:
    """Whole numbers show no point; yes and no are words."""
    assert list(table([["a", 7.0, None], ["bb", 1_000, True]], ["name", "n", "x"])) == [
        "name     n  x",
        "a        7  -",
        "bb    1000  yes",
    ]


def test_what_is_nested_in_a_cell_is_json() -> None:
    """As facts in the answer of a query, with text as it is."""
    assert list(table([[{"of": {"é": True, "x": None}}]], ["facts"])) == [
        "facts",
        '{"of": {"é": true, "x": null}}',
    ]


def test_a_number_of_one_has_a_singular() -> None:
    """In a list of numbers, which stand to the right."""
    assert amount(1, "line", " read") == "           1 line read"
    assert amount(1_000, "line", " read") == "       1,000 lines read"
    assert [noun(number, "entry", "entries") for number in (0, 1, 2)] == [
        "entries",
        "entry",
        "entries",
    ]


def test_a_tree_is_indented() -> None:
    """Nested dicts and lists of any shape can be read."""
    found = {"a": 1, "b": {"c": [1, {"d": None}], "e": []}}
    assert list(tree(found)) == ["a: 1", "b:", "  c:", "    - 1", "    -", "      d: -", "  e: -"]


def test_that_a_list_is_empty_is_said_to_a_person_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe gets no line that is none of the list, and JSON is an empty list."""
    Output().listing([], [], ["a"], empty="There is nothing")
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    Output().listing([], [], ["a"], empty="There is nothing")
    assert capsys.readouterr().out == "There is nothing\n"
    Output(as_json=True).listing([], [], ["a"], empty="There is nothing")
    assert json.loads(capsys.readouterr().out) == []


def test_a_result_is_json_or_text(capsys: pytest.CaptureFixture[str]) -> None:
    """One of the two, on standard output."""
    Output(as_json=True).result({"ü": 1}, ["text"])
    assert json.loads(capsys.readouterr().out) == {"ü": 1}
    Output().result({"ü": 1}, ["text"])
    assert capsys.readouterr().out == "text\n"


def test_a_summary_is_left_out_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a terminal nor -v nor --json: silence, as cron wants it."""
    Output().summary({}, ["text"])
    assert capsys.readouterr().out == ""
    Output(verbosity=1).summary({}, ["text"])
    assert capsys.readouterr().out == "text\n"
    Output(as_json=True).summary({}, ["text"])
    assert json.loads(capsys.readouterr().out) == {}


def test_progress_says_nothing_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """Away from a terminal and without -v, standard error stays empty."""
    with Output().progress("Working") as progress:
        progress(1, 2)
    assert capsys.readouterr() == ("", "")


def test_with_v_progress_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines for a log file: no bar, no control characters; also where the total is not known."""
    monkeypatch.setattr("stats_pipeline.cli.output.LINE_EVERY_SECONDS", 0.0)
    with Output(verbosity=1).progress("Working") as progress:
        progress(5_000, 20_000)
        progress(7, 0)
    assert capsys.readouterr().err == "Working: 5,000 of 20,000 (25 %)\nWorking: 7 of 0\n"
