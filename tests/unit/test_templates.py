"""Index templates: found in packages and folders, refused where they are none, completed."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stats_pipeline.errors import DefinitionError
from stats_pipeline.templates import complete_template, load_template

TEMPLATE = {
    "index_patterns": ["whatever-*"],
    "version": 3,
    "_meta": {"owner": "us"},
    "template": {
        "settings": {"index": {"number_of_shards": 1}},
        "mappings": {"properties": {"path": {"type": "keyword"}, "size": {"type": "long"}}},
    },
}


def write(folder: Path, name: str, body: Any = TEMPLATE) -> None:
    """Write a template's file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(body))


def test_a_template_is_found_in_a_folder(tmp_path: Path) -> None:
    """The folder may be given by its path."""
    write(tmp_path, "thing.json")
    assert load_template(str(tmp_path), ["thing"], owner="an event type") == TEMPLATE


def test_a_template_is_found_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package may be given by its dotted name, with or without an `__init__.py`."""
    write(tmp_path / "some_app_a" / "templates", "thing.json")
    write(tmp_path / "some_app_b", "thing.json")
    (tmp_path / "some_app_b" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for source in ("some_app_a.templates", "some_app_b"):
        assert load_template(source, ["thing"], owner="an event type") == TEMPLATE
    for name in [name for name in sys.modules if name.startswith("some_app_")]:
        del sys.modules[name]


def test_a_template_is_found_in_a_package_without_init_whose_path_holds_more_than_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Editable installations add to such a package's path what is no folder."""
    write(tmp_path / "some_templates", "thing.json")
    package = ModuleType("some_templates")
    package.__path__ = ["__editable__.some.finder.__path_hook__", str(tmp_path / "some_templates")]
    monkeypatch.setitem(sys.modules, "some_templates", package)
    assert load_template("some_templates", ["thing"], owner="an event type") == TEMPLATE


def test_the_first_name_that_is_there_is_taken(tmp_path: Path) -> None:
    """Names should be tried in their order, each also as hosts of invenio-stats write it."""
    write(tmp_path, "second.json", {"template": {}})
    write(tmp_path, "first-v1.json")
    assert load_template(str(tmp_path), ["first", "second"], owner="x") == TEMPLATE
    write(tmp_path, "first.json", {"version": 9})
    assert load_template(str(tmp_path), ["first", "second"], owner="x") == {"version": 9}


def test_a_missing_template_is_refused_by_all_names(tmp_path: Path) -> None:
    """The error should name the owner, where was looked, and for what."""
    with pytest.raises(DefinitionError, match=r"thing's owner.*one\.json, one-v1\.json, two\.json"):
        load_template(str(tmp_path), ["one", "two"], owner="thing's owner")


@pytest.mark.parametrize("source", ["no.such.package", "", "..", "json.decoder.JSONDecoder"])
def test_a_source_that_is_nothing_is_refused(source: str) -> None:
    """What is neither a folder nor a package should be an error that names the owner."""
    with pytest.raises(DefinitionError, match="the owner"):
        load_template(source, ["thing"], owner="the owner")


@pytest.mark.parametrize(
    "content",
    [
        b"{not json",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"template": null}',
        b'{"template": {"mappings": {"properties": {"a": "keyword"}}}}',
        b'{"template": {"mappings": {"properties": ["a"]}}}',
        b'{"mappings": {"properties": {"a": {"type": "keyword"}}}, "template": 3}',
        b'{"mappings": {"properties": {"a": {"type": "keyword"}}}}',
    ],
)
def test_a_file_that_is_no_template_is_refused(tmp_path: Path, content: bytes) -> None:
    """The error should say what a template looks like."""
    (tmp_path / "thing.json").write_bytes(content)
    with pytest.raises(DefinitionError, match=r"thing\.json is not the body of a composable"):
        load_template(str(tmp_path), ["thing"], owner="an event type")


def test_a_template_is_completed_with_fields_that_it_lacks() -> None:
    """Its own fields should win, and what its owner wrote about it be kept."""
    additions = {"path": {"type": "text"}, "timestamp": {"type": "date"}}
    template = complete_template("events-stats-thing", TEMPLATE, additions, owner="x")
    assert template.types == {"path": "keyword", "size": "long", "timestamp": "date"}
    assert template.settings == {"index": {"number_of_shards": 1}}
    assert template.body["_meta"] == {"owner": "us"}
    assert template.body["version"] == 3


def test_the_body_fits_the_indices_of_its_alias_only() -> None:
    """No index should come to be by accident, and the longer of two aliases should win."""
    short = complete_template("events-stats-a", {}, {}, owner="x").body
    long = complete_template("events-stats-a-b", {}, {}, owner="x").body
    assert short["index_patterns"] == ["events-stats-a-*"]
    assert short["allow_auto_create"] is False
    assert short["template"]["mappings"]["dynamic"] is False
    assert long["priority"] > short["priority"]


def test_a_field_without_type_is_an_object() -> None:
    """Elasticsearch takes a mapping with `properties` only for an object."""
    body: dict[str, Any] = {"template": {"mappings": {"properties": {"a": {"properties": {}}}}}}
    assert complete_template("x", body, {}, owner="x").types == {"a": "object"}


@pytest.mark.parametrize("wrong", ["geo_shape", "", None, ["keyword"], 3])
def test_a_field_of_an_unknown_type_is_refused(wrong: Any) -> None:
    """The error should name the owner, the field, the type and the types that there are."""
    body = {"template": {"mappings": {"properties": {"spot": {"type": wrong}}}}}
    with pytest.raises(DefinitionError, match=r"my event.*'spot'.*boolean, byte"):
        complete_template("x", body, {}, owner="my event")
