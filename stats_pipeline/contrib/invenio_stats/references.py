"""Things that a configuration names: as objects, by dotted path, or as what can't be imported."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import partial
from importlib import import_module
from typing import Any, NoReturn

from stats_pipeline.contrib.invenio_stats.names import DICTS

#: The name under which a configuration file is run; what it defines itself says so.
CONFIGURATION_MODULE = "invenio_stats_configuration"

#: How much of a value is shown in a message.
SHOWN_CHARACTERS = 80


class UnknownHere(Exception):
    """Say that a file needs to look into something that can't be imported here."""


class Unpacked(str):
    """Be the key under which ``**`` leaves a `Reference` in a dict: the path of what it was."""

    __slots__ = ()


class Reference:
    """Stand for something that can't be imported here, and know its dotted path.

    It can be named, called and derived from, as configurations do, and ``**`` leaves it in the dict
    that it should have filled, to be listed there. Whoever else looks into it is told that it is
    not there, since what it holds would be left out without a word.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        path = f"{self._path}.{name}"
        return deepcopy(DICTS[path]) if path in DICTS else Reference(path)

    def __call__(self, *_args: object, **_kwargs: object) -> Reference:
        """Stand for what the call would return, which has no path."""
        return Reference(f"{self._path}(...)")

    def __mro_entries__(self, _bases: tuple[object, ...]) -> tuple[type, ...]:
        return ()

    def keys(self) -> tuple[Unpacked]:
        """Return what ``**`` takes."""
        return (Unpacked(self._path),)

    def __iter__(self) -> Iterator[Any]:
        self._refuse()

    def __getitem__(self, key: object) -> Reference:
        if not isinstance(key, Unpacked):
            self._refuse()
        return self

    def __str__(self) -> str:
        return self._path

    __repr__ = __str__

    def _refuse(self) -> NoReturn:
        raise UnknownHere(
            f"the file looks into {self._path}, which can't be imported here; run the command "
            "where it is installed"
        )


def dotted_path(value: object) -> str | None:
    """Return the path by which a thing can be named; None for what has no name of its own."""
    if isinstance(value, str):
        return value
    if isinstance(value, Reference):
        path = str(value)
        return None if "(" in path else path
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not module or not name or "<" in name or module == CONFIGURATION_MODULE:
        return None
    return f"{module}.{name}"


def peer_name(value: object) -> str | None:
    """Return the last part of the path of what belongs to invenio-stats, None for all else."""
    path = (dotted_path(value) or "").replace(":", ".")
    return path.rpartition(".")[2] if path.startswith("invenio_stats.") else None


def importable(value: object) -> str | None:
    """Return the path of what can be imported here by it, None for all else."""
    path = dotted_path(value)
    return path if path is not None and find(path) is not None else None


def find(path: str) -> Any | None:
    """Return what a dotted path names, None where it can't be imported."""
    module_name, separator, names = path.partition(":")
    if not separator:
        module_name, _, names = path.rpartition(".")
    try:
        found: Any = import_module(module_name)
        for name in names.split("."):
            found = getattr(found, name)
    except (Exception, SystemExit):  # noqa: BLE001 - a module of the host may raise anything
        return None
    return found


def is_plain(value: object) -> bool:
    """Tell whether a value consists of texts, numbers, lists and dicts only."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, str | int | float)


def shown(value: object) -> str:
    """Return how messages call a thing."""
    if isinstance(value, partial):
        return f"a functools.partial of {shown(value.func)}"
    if inspect.isfunction(value) and value.__module__ == CONFIGURATION_MODULE:
        what = "a lambda" if value.__name__ == "<lambda>" else f"the function {value.__name__}"
        return f"{what} in line {value.__code__.co_firstlineno} of the file itself"
    if isinstance(value, type) and value.__module__ == CONFIGURATION_MODULE:
        return f"the class {value.__name__} of the file itself"
    return (dotted_path(value) or repr(value))[:SHOWN_CHARACTERS]


def why_unusable(value: object) -> str:
    """Say why a thing can't be named in a configuration."""
    if dotted_path(value) is None:
        return f"{shown(value)} can't be named by a path"
    if peer_name(value) is not None:
        return f"{shown(value)} belongs to invenio-stats and has no counterpart here"
    return f"{shown(value)} can't be imported here"


def how_to_name(value: object) -> str:
    """Say how to get a thing into the new configuration."""
    path = dotted_path(value)
    if peer_name(value) is not None:
        return "Do without it, or write your own"
    if path is None:
        return "Move it into a module of yours and name it here as 'package.module:name'"
    return f"Put {path!r} back where it can be imported and no longer needs invenio-stats"
