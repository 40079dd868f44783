"""Dotted paths: imported on use, refused with owner and path."""

import json
from collections import abc
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.errors import ConfigurationError, DefinitionError
from stats_pipeline.importing import load, load_callables


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("json.dumps", json.dumps),
        ("json:dumps", json.dumps),
        ("json.decoder.JSONDecoder", json.JSONDecoder),
        ("json.decoder:JSONDecoder.decode", json.JSONDecoder.decode),
        ("collections.abc", abc),
    ],
)
def test_A004_04_a_path_names_an_object_with_a_dot_or_a_colon(path: str, expected: Any) -> None:
    """With a colon, what follows may be an attribute of an attribute."""
    assert load(path, owner="shop") is expected


@pytest.mark.parametrize("thing", [None, 5, json.dumps, {"a": 1}])
def test_A004_04_an_object_is_taken_as_it_is(thing: Any) -> None:
    """Only text is a path."""
    assert load(thing, owner="shop") is thing


@pytest.mark.parametrize(
    "path", ["", "json", "no.such.thing", "json.nothing", "json:dumps.nothing", ":", "a b.c", ".x"]
)
def test_A004_07_a_wrong_path_is_refused_with_its_owner(path: str) -> None:
    """The message says how a path is written."""
    with pytest.raises(ConfigurationError) as caught:
        load(path, owner="event type 'sale' of shop")
    message = str(caught.value)
    assert message.startswith(f"event type 'sale' of shop: {path!r} can't be imported")
    assert message.endswith("give 'package.module:name'")


BROKEN = {
    "a_name": ("undefined_name", "NameError(\"name 'undefined_name' is not defined\")"),
    "a_division": ("1 / 0", "ZeroDivisionError('division by zero')"),
    "a_key": ("{}['STATS']", "KeyError('STATS')"),
    "no_words": ("assert False", "AssertionError()"),
    "a_syntax": ("def build(:", "invalid syntax (broken_a_syntax.py, line 1)"),
    "an_import": ("import no_such_thing", "No module named 'no_such_thing'"),
    "an_exit": ("import sys; sys.exit(3)", "SystemExit(3)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_A004_07_whatever_a_module_raises_is_said_with_owner_path_and_cause(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module of the host that can't run is a wrong configuration, with the error kept."""
    text, cause = BROKEN[name]
    (tmp_path / f"broken_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        load(f"broken_{name}:build", owner="event type 'sale' of shop")
    message = str(caught.value)
    assert message.startswith(f"event type 'sale' of shop: 'broken_{name}:build' can't be imported")
    assert cause in message
    assert caught.value.__cause__ is not None


def test_a_list_of_paths_and_objects_becomes_callables_in_order() -> None:
    """As preprocessors, builders and modifiers are."""
    assert load_callables(["json.dumps", len], key="builders", owner="shop") == (json.dumps, len)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ("json.dumps", "shop: builders must be a list, not 'json.dumps'"),
        (None, "shop: builders must be a list, not None"),
        ([5], "shop: builders holds 5, which can't be called"),
        (["json.decoder"], "shop: builders holds <module 'json.decoder'"),
    ],
)
def test_what_is_no_list_of_callables_is_refused_with_its_owner(targets: Any, message: str) -> None:
    """A text would otherwise be taken for a list of letters."""
    with pytest.raises(DefinitionError) as caught:
        load_callables(targets, key="builders", owner="shop")
    assert str(caught.value).startswith(message)
