"""The templates of event types: how files are named, what is added, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.errors import DefinitionError
from stats_pipeline.registry import EventDefinition
from stats_pipeline.templates import IndexTemplate
from tests.registry.conftest import PROPERTIES, MakeRegistries


@pytest.fixture
def define(registries: MakeRegistries, tmp_path: Path) -> Any:
    """Give a function that defines `thing` with these files in its folder of templates."""

    def define(prefix: str = "", **files: Any) -> EventDefinition:
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (tmp_path / f"{name.replace('_', '-')}.json").write_text(text)
        thing = {"templates": str(tmp_path)}
        made = registries(STATS_EVENTS={"thing": thing}, STATS_INDEX_PREFIX=prefix)
        return made.event_type("thing")

    return define


def body(**properties: Any) -> dict[str, Any]:
    """Return a template with these fields."""
    return {"template": {"mappings": {"properties": properties or PROPERTIES}}}


@pytest.mark.parametrize(
    "name", ["thing", "thing_v1", "events_stats_thing", "events_stats_thing_v1"]
)
def test_A004_33_a_template_is_found_by_the_name_of_the_event_type_or_its_alias(
    define: Any, name: str
) -> None:
    """With or without the suffix of a version."""
    assert define(**{name: body()}).template.types["item"] == "keyword"


def test_every_event_may_have_what_the_design_promises(define: Any) -> None:
    """Identity, times and what the preprocessors write need no mapping of the host's."""
    types = define(thing=body(item={"type": "keyword"})).template.types
    promised = (
        "event_id timestamp received_at revision withdrawn is_robot is_machine visitor_id "
        "unique_session_id country unique_id"
    )
    assert set(types) >= {"item", *promised.split()}


def test_the_hosts_own_mapping_of_such_a_field_is_kept(define: Any) -> None:
    """We add only where absent."""
    own = {"type": "keyword", "doc_values": True}
    assert define(thing=body(country=own)).template.properties["country"] == own


def test_A004_34_patterns_alias_and_priority_are_ours(define: Any) -> None:
    """The prefix stands before all; of two aliases that match, the longer one wins."""
    foreign = {
        "index_patterns": ["wrong-*"],
        "priority": 1,
        "version": 7,
        "_meta": {"description": "things"},
        "template": {**body()["template"], "aliases": {"wrong": {}}, "settings": {"a": 1}},
    }
    template: IndexTemplate = define("eu-", thing=foreign).template
    assert template.alias == "eu-events-stats-thing"
    assert template.body["index_patterns"] == ["eu-events-stats-thing-*"]
    assert "aliases" not in template.body["template"]
    assert template.body["template"]["settings"] == {"a": 1}
    assert template.body["template"]["mappings"]["dynamic"] is False
    assert (template.body["version"], template.body["_meta"]) == (7, {"description": "things"})
    longer = IndexTemplate(f"{template.alias}-more", template.properties, {}, {})
    assert longer.body["priority"] > template.body["priority"] > 200


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"thing\.json is not the body of a composable index template"),
        ("[]", "is not the body of a composable index template"),
        ({"template": {"mappings": {"properties": {"item": "keyword"}}}}, "is not the body of"),
        (body(item={"type": "dense_vector"}), "'item' has the type 'dense_vector'.* one of"),
    ],
)
def test_a_file_that_is_no_template_is_refused_with_its_place(
    define: Any, content: Any, message: str
) -> None:
    """Event type, file and the expected form are named."""
    with pytest.raises(DefinitionError, match=f"(?s)event type 'thing' of .*{message}"):
        _ = define(thing=content).template


def test_a_folder_without_the_template_names_the_files_that_were_looked_for(define: Any) -> None:
    """Somebody sees at once how the file has to be called."""
    with pytest.raises(
        DefinitionError, match=r"holds none of thing\.json, thing-v1\.json, events-stats-thing\."
    ):
        _ = define(think=body()).template


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("no_such_package.templates", "No module named 'no_such_package'"),
        ("/nowhere/templates", "No module named '/nowhere/templates'"),
        ("broken_package", "ZeroDivisionError\\('division by zero'\\)"),
        (5, "not int"),
    ],
)
def test_what_is_neither_a_folder_nor_a_package_is_refused_with_the_reason(
    source: Any, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registries: Any
) -> None:
    """Whatever its package raises while it is imported."""
    (tmp_path / "broken_package").mkdir()
    (tmp_path / "broken_package" / "__init__.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    definition = registries(
        STATS_EVENTS={"thing": {"templates": source, "event_type": "thing"}}
    ).event_type("thing")
    with pytest.raises(DefinitionError, match=f"event type 'thing' of .*{reason}"):
        _ = definition.template
