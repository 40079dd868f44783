"""Run the configuration file of invenio-stats, also where invenio-stats is not installed."""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from stats_pipeline.contrib.invenio_stats.references import (
    CONFIGURATION_MODULE,
    Reference,
    UnknownHere,
)
from stats_pipeline.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class PeerConfiguration:
    """Be what a file sets.

    Attributes:
        path: of the file.
        settings: names in capitals -> values.
        unknown_stars: modules of which everything was imported, but which are not there.
    """

    path: Path
    settings: Mapping[str, Any]
    unknown_stars: tuple[str, ...]


def read_configuration(path: Path) -> PeerConfiguration:
    """Run the file and return what it sets.

    It is the operator's own configuration and is trusted as such: it can do what any program can.
    What it imports and can't is replaced by a `Reference`; what other modules import is not.

    Raises:
        ConfigurationError: it can't be read or run; with file, line and reason.
    """
    stars: list[str] = []
    namespace: dict[str, Any] = {
        "__name__": CONFIGURATION_MODULE,
        "__file__": str(path),
        "__builtins__": {**vars(builtins), "__import__": _importer(stars)},
    }
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        exec(code, namespace)  # noqa: S102 - see above
    except (Exception, SystemExit) as error:
        reason = str(error) if isinstance(error, UnknownHere) else repr(error)
        raise ConfigurationError(
            f"{path}{_line_of(error, path)} can't be run: {reason}. If that line has nothing to "
            "do with statistics, give a copy of the file without it"
        ) from error
    settings = {name: value for name, value in namespace.items() if name.isupper()}
    return PeerConfiguration(path, settings, tuple(stars))


def _importer(stars: list[str]) -> Any:
    """Return what takes the place of ``__import__`` in the file, and only there."""

    def import_or_stand_in(
        name: str,
        globals_: Mapping[str, Any] | None = None,
        locals_: Mapping[str, Any] | None = None,
        from_list: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> Any:
        try:
            return __import__(name, globals_, locals_, from_list or (), level)
        except ImportError:
            if from_list and "*" in from_list:
                stars.append(name)
                return ModuleType(name)
            return Reference(name if from_list else name.partition(".")[0])

    return import_or_stand_in


def _line_of(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f", line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""
