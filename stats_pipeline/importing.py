"""Import by dotted path, on first use."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from stats_pipeline.errors import ConfigurationError, DefinitionError

#: What the code of a stranger may raise while it is imported; a script may even end its process.
FAILURES = (Exception, SystemExit)


def load(target: Any, *, owner: str) -> Any:
    """Return the object that a dotted path names; anything but text is the object itself.

    Args:
        target: ``package.module.name``, ``package.module:name``, or an object.
        owner: what needs it, for the error message.

    Raises:
        ConfigurationError: naming owner, path and cause, whatever is raised while it is imported.
    """
    if not isinstance(target, str):
        return target
    module_name, separator, path = target.partition(":")
    if not separator:
        module_name, _, path = target.rpartition(".")
    try:
        found: Any = import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{owner}: {target!r} can't be imported ({error}); give 'package.module:name'"
        ) from error
    except FAILURES as error:
        raise ConfigurationError(
            f"{owner}: {target!r} can't be imported: {reason_of(error)}"
        ) from error
    return found


def reason_of(error: BaseException) -> str:
    """Return why an import failed; some errors say what they are by their type only."""
    is_sentence = isinstance(error, ImportError | SyntaxError | OSError)
    return str(error) if is_sentence else repr(error)


def load_callable(target: Any, *, key: str, owner: str) -> Callable[..., Any]:
    """Return the function or class that a dotted path names, or that is given.

    Raises:
        ConfigurationError: naming owner and key, where it can't be imported or called.
    """
    found: Callable[..., Any] = load(target, owner=owner)
    if not callable(found):
        raise DefinitionError(f"{owner}: {key}={target!r} can't be called")
    return found


def load_class(target: Any, *, key: str, method: str, owner: str) -> Callable[..., Any]:
    """Return the class that a dotted path names, or that is given; a function may make the object.

    Raises:
        ConfigurationError: naming owner and key, where it can't be imported or called, or is a
            class whose objects lack the method.
    """
    found = load_callable(target, key=key, owner=owner)
    if isinstance(found, type) and not callable(getattr(found, method, None)):
        raise DefinitionError(f"{owner}: {key}={target!r} has no method {method!r}")
    return found


def load_callables(targets: Any, *, key: str, owner: str) -> tuple[Callable[..., Any], ...]:
    """Return what a list of dotted paths or objects means, in order.

    Args:
        targets: the list.
        key: where it was written, for the error message.
        owner: who wrote it, for the error message.

    Raises:
        ConfigurationError: it is no list, or an item can't be imported or called.
    """
    if not isinstance(targets, list | tuple):
        raise DefinitionError(f"{owner}: {key} must be a list, not {targets!r}")
    found = tuple(load(target, owner=owner) for target in targets)
    for each in found:
        if not callable(each):
            raise DefinitionError(f"{owner}: {key} holds {each!r}, which can't be called")
    return found
