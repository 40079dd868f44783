"""Write values as formatted Python, with remarks as comments."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from stats_pipeline.contrib.invenio_stats.findings import NOTHING, Remark

WIDTH = 100
INDENT = "    "


def assignment(name: str, value: Any) -> str:
    """Return the lines that set a name to a value of dicts, lists, tuples, plain values, remarks.

    A remark without a value takes the place of its key or item.
    """
    return "\n".join(_lines(value, before=f"{name} = ", after="", indent="")) + "\n"


def comment(text: str, indent: str = "") -> Iterator[str]:
    """Yield the lines of a comment."""
    yield from textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _lines(value: Any, *, before: str, after: str, indent: str) -> Iterator[str]:
    if isinstance(value, Remark):
        yield from comment(value.text, indent)
        if value.value is not NOTHING:
            yield from _lines(value.value, before=before, after=after, indent=indent)
        return
    if _is_plain(value):
        line = f"{indent}{before}{_inline(value)}{after}"
        if len(line) <= WIDTH or not isinstance(value, list | tuple):
            yield line
            return
    opening, closing = _brackets(value)
    yield f"{indent}{before}{opening}"
    for start, item in _items(value):
        yield from _lines(item, before=start, after=",", indent=indent + INDENT)
    yield f"{indent}{closing}{after}"


def _is_plain(value: Any) -> bool:
    """Tell whether a value fits into one line: a scalar, something empty, a list of scalars."""
    if isinstance(value, list | tuple):
        return not any(isinstance(item, Mapping | list | tuple | Remark) for item in value)
    return not isinstance(value, Mapping) or not value


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        opening, closing = _brackets(value)
        trailing = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{opening}{', '.join(map(_inline, value))}{trailing}{closing}"
    return "{}" if isinstance(value, Mapping) else repr(value)


def _brackets(value: Any) -> tuple[str, str]:
    if isinstance(value, Mapping):
        return "{", "}"
    return ("[", "]") if isinstance(value, list) else ("(", ")")


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"{_inline(key)}: ", item
    else:
        for item in value:
            yield "", item
