"""Owners of registrations: distributions that importlib_metadata finds, and what they register."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

from stats_pipeline.registry import Registries
from stats_pipeline.settings import read_settings

PROPERTIES = {
    "item": {"type": "keyword"},
    "size": {"type": "long"},
    "ratio": {"type": "double"},
    "note": {"type": "text"},
}


class Register(Protocol):
    """Make a distribution that registers these items in these groups."""

    def __call__(self, owner: str, **groups: Any) -> None:
        """Make it."""


MakeRegistries = Callable[..., Registries]


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Give a function that puts a distribution on the path, with entry points for each group."""

    def register(owner: str, **groups: Any) -> None:
        module_name = owner.replace("-", "_")
        info = tmp_path / owner / f"{module_name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {owner}\nVersion: 1.0\n")
        module = ModuleType(module_name)
        lines: list[str] = []
        for group, items in groups.items():
            setattr(module, f"register_{group}", _returning(items))
            lines += [f"[stats_pipeline.{group}]", f"{owner} = {module_name}:register_{group}"]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        monkeypatch.setitem(sys.modules, module_name, module)
        monkeypatch.syspath_prepend(info.parent)

    return register


@pytest.fixture
def registries() -> MakeRegistries:
    """Give a function that makes the registries of an app with these settings."""
    return lambda **settings: Registries(read_settings(settings))


@pytest.fixture
def templates(tmp_path: Path) -> str:
    """Give a folder with the index template of the event type `thing`."""
    folder = tmp_path / "templates"
    folder.mkdir()
    body = {"template": {"mappings": {"properties": PROPERTIES}}}
    (folder / "thing.json").write_text(json.dumps(body))
    return str(folder)


def _returning(items: Sequence[Any] | Exception) -> Callable[[], Any]:
    def register() -> Any:
        if isinstance(items, Exception):
            raise items
        return items

    return register
