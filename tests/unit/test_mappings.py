"""Mappings: what Elasticsearch would refuse is refused for both stores, with the nearest key."""

from typing import Any

import pytest

from stats_pipeline.errors import DefinitionError
from stats_pipeline.mappings import check_mapping, in_our_form, unknown_key
from stats_pipeline.templates import complete_template


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"typ": "keyword"}, "unknown key 'typ' in the mapping of the field 'x'.* 'type'"),
        ({"type": "keyword", "ignore_abov": 9}, "'ignore_abov' .* did you mean 'ignore_above'"),
        ({"properties": {"a": {"typ": "long"}}}, r"'typ' .*'x\.a'; did you mean 'type'"),
        ({"type": "text", "fields": {"raw": {"typo": "keyword"}}}, r"'typo' .*'x\.raw'"),
        ({"properties": {"a": "long"}}, r"the mapping of the field 'x\.a' is no dict: 'long'"),
        ({"properties": ["a"]}, r"'properties' of the field 'x' is no dict: \['a'\]"),
        ({}, "the field 'x' has no type; give one of binary, boolean"),
        ({"index": False}, "the field 'x' has no type"),
        ({"type": "geo_point"}, "'x' has the type 'geo_point', which is not one of binary"),
    ],
)
def test_a_mapping_that_can_not_work_is_refused(mapping: Any, message: str) -> None:
    """Owner, field and key should be named, and the key or the types that are meant."""
    body = {"template": {"mappings": {"properties": {"x": mapping}}}}
    with pytest.raises(DefinitionError, match=f"my event: .*{message}"):
        complete_template("events-stats-thing", body, {}, owner="my event")


@pytest.mark.parametrize(
    "mapping",
    [
        {"type": "keyword", "ignore_above": 256, "doc_values": True, "meta": {"unit": "byte"}},
        {"type": "text", "analyzer": "standard", "fields": {"raw": {"type": "keyword"}}},
        {"type": "date", "format": "yyyy-MM-dd", "locale": "en"},
        {"enabled": False},
        {"dynamic": True, "properties": {"place": {"type": "geo_point", "ignore_z_value": True}}},
    ],
)
def test_what_elasticsearch_takes_is_taken(mapping: Any) -> None:
    """Also inside of an object, where a field may have a type of which we know nothing."""
    check_mapping("x", mapping, owner="my event")


def test_dates_have_no_format_since_they_are_stored_in_ours() -> None:
    """So has whatever gets the same value; what is stored as it came keeps its own."""
    date = {"type": "date", "format": "yyyy", "fields": {"raw": {"type": "date", "format": "MM"}}}
    assert in_our_form(date) == {"type": "date", "fields": {"raw": {"type": "date"}}}
    inside = {"properties": {"day": {"type": "date", "format": "yyyy"}}}
    assert in_our_form(inside) == inside


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"mappings": {"properties": {}}}, "unknown key 'mappings'; known: _meta"),
        ({"template": {"mapping": {}}}, "'template.mapping'; did you mean 'mappings'"),
        (
            {"template": {"mappings": {"my_properties": {}}}},
            "'template.mappings.my_properties'; did you mean 'properties'",
        ),
        ({"index_patterns": ["x"], "template": {"aliases": {}, "settings": {}}}, ""),
        ({"template": {"mappings": {"dynamic": "strict", "date_detection": False}}}, ""),
    ],
)
def test_an_unknown_key_of_a_template_is_named_with_its_place(body: Any, message: str) -> None:
    """The older form of a template, which has no `template`, should not pass for an empty one."""
    assert message in unknown_key(body)
    assert bool(message) == bool(unknown_key(body))
