"""Index templates: read from packages or folders, completed by us, and used as the one schema.

Elasticsearch gets the template, the embedded store derives its columns from it, and events are
checked against its field types.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from stats_pipeline.errors import DefinitionError
from stats_pipeline.importing import FAILURES, reason_of
from stats_pipeline.mappings import check_mapping, in_our_form, unknown_key

#: Above the priorities of the templates that come with Elasticsearch (100 to 200).
BASE_PRIORITY = 300

Properties = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class IndexTemplate:
    """Be a composable index template for all indices of one alias.

    Attributes:
        alias: with the index prefix; its indices are named ``<alias>-...``.
        properties: field name -> mapping, all top-level fields.
        settings: index settings of the host's template.
        description: what the template's owner wrote about it (``_meta`` and such), kept as it is.
    """

    alias: str
    properties: Properties
    settings: Mapping[str, Any]
    description: Mapping[str, Any]

    @cached_property
    def types(self) -> Mapping[str, str]:
        """Return field name -> field type; a mapping with `properties` only is an object."""
        return {name: str(m.get("type", "object")) for name, m in self.properties.items()}

    @property
    def body(self) -> dict[str, Any]:
        """Return what Elasticsearch's index template API takes.

        ``allow_auto_create`` is off: an index that an operator deleted must not come back by a
        write that was under way, since its absence would then go unnoticed.
        """
        return {
            **self.description,
            "index_patterns": [f"{self.alias}-*"],
            # The longest alias wins where one alias is the beginning of another.
            "priority": BASE_PRIORITY + len(self.alias),
            "allow_auto_create": False,
            "template": {
                "settings": dict(self.settings),
                "mappings": {"dynamic": False, "properties": dict(self.properties)},
            },
        }


def load_template(source: str, names: Sequence[str], *, owner: str) -> Mapping[str, Any]:
    """Return the JSON of the first of these names (or name-v1) in a package or folder.

    Raises:
        DefinitionError: there is no such package or folder, or file, or it is no template.
    """
    folder = _folder(source, owner)
    wanted = [f"{name}{suffix}.json" for name in names for suffix in ("", "-v1")]
    for file_name in wanted:
        found = folder.joinpath(file_name)
        if found.is_file():
            return _parse(found.read_bytes(), f"{owner}: {source}/{file_name}")
    raise DefinitionError(f"{owner}: {source} holds none of {', '.join(wanted)}")


def complete_template(
    alias: str, body: Mapping[str, Any], additions: Properties, *, owner: str
) -> IndexTemplate:
    """Return the template with those of the additional fields that it does not name itself.

    Dates have no `format`: whatever form a value came in, it is stored in ours.

    Args:
        alias: the alias with the index prefix.
        body: what `load_template` returned.
        additions: fields that every document of this alias may have.
        owner: for error messages.
    """
    template = body.get("template", {})
    own = template.get("mappings", {}).get("properties", {})
    for name, mapping in own.items():
        check_mapping(name, mapping, owner=owner)
    united = {**own, **additions, **own}  # its own fields come first, and win
    properties = {name: in_our_form(mapping) for name, mapping in united.items()}
    description = {k: v for k, v in body.items() if k in ("_meta", "version")}
    return IndexTemplate(alias, properties, template.get("settings", {}), description)


def _folder(source: str, owner: str) -> Traversable:
    try:
        if source and Path(source).is_dir():
            return Path(source)
        package = import_module(source)
        if getattr(package, "__file__", None) is not None:
            return files(package)
        # Without an __init__.py. `files` fails where the path of such a package holds more than
        # folders, as in an editable installation.
        return next(path for path in map(Path, package.__path__) if path.is_dir())
    except FAILURES as error:
        raise DefinitionError(
            f"{owner}: templates={source!r} is neither a folder nor a package that can be "
            f"imported ({reason_of(error)})"
        ) from error


def _parse(text: bytes, where: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
        properties = body.get("template", {}).get("mappings", {}).get("properties", {})
        is_template = all(isinstance(mapping, dict) for mapping in properties.values())
        wrong = unknown_key(body)
    except (ValueError, AttributeError, RecursionError):
        is_template, wrong = False, ""
    if not is_template or wrong:
        raise DefinitionError(
            f"{where} is not the body of a composable index template, "
            '{"template": {"mappings": {"properties": {...}}}}' + (wrong and f": {wrong}")
        )
    result: Mapping[str, Any] = body
    return result
