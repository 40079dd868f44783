"""`stats annotations`: set, list and delete what people know."""

from collections.abc import Callable
from typing import Any

from tests.cli.conftest import Run


def test_facts_are_set_listed_and_deleted(run: Run, run_json: Callable[..., Any]) -> None:
    """A fact is JSON where it parses as JSON, else text; null removes one."""
    assert run("annotations", "set", "path", "/a", "since=2016-12-18", "is_old=true").output == ""
    run("annotations", "set", "path", "/a", 'note="42"', "is_old=null")
    expected = {"field": "path", "value": "/a", "facts": {"since": "2016-12-18", "note": "42"}}
    assert run_json("annotations", "list") == [expected]
    assert "/a" in run("annotations", "list", "path").stdout
    assert run_json("annotations", "delete", "path", "/a") == {"deleted": True}
    assert run("annotations", "list").stdout == ""
    assert run("annotations", "delete", "path", "/a").stdout == "There were no facts\n"


def test_a_fact_that_no_query_shows_is_set_with_a_warning(run: Run) -> None:
    """Facts are free, but a slip of the pen is seen; where no query shows any, nothing is said."""
    assert run("annotations", "set", "radio_version", "4.0", "is_official=maybe").stderr == ""
    result = run("annotations", "set", "radio_version", "4.0", "is_oficial=true")
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)
    assert "no query shows the fact 'is_oficial' of 'radio_version'; did you mean" in result.stderr
    assert run("annotations", "set", "radio_version", "4.0", "is_oficial=null").stderr == ""
    assert run("annotations", "set", "path", "/a", "x=1").stderr == ""


def test_a_field_that_there_is_not_is_refused(run: Run) -> None:
    """With the nearest one, by all that asks for a field."""
    for arguments in [("list", "pathh"), ("delete", "pathh", "/a")]:
        result = run("annotations", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "did you mean 'path'" in result.stderr


def test_what_is_wrong_is_said_in_one_line(run: Run) -> None:
    """Exit code 2, and what would be right."""
    for arguments, message in [
        (("pathh", "/a", "x=1"), "did you mean 'path'"),
        (("path", "/a", "x"), "'x' is not NAME=FACT"),
        (("path", "/a", "x=[1]"), "must be a text, number or boolean"),
    ]:
        result = run("annotations", "set", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
