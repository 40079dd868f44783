"""Lists of names that a caller gives. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stats_pipeline.errors import InvalidParameter


def listed(names: Any, *, parameter: str) -> list[str]:
    """Return the names as a list; refuse a text, each letter of which would be a name.

    Raises:
        InvalidParameter: naming the parameter, and what to write.
    """
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InvalidParameter(
            f"{parameter} must be a list, as {[names]!r}, not {names!r}"[:300], parameter=parameter
        )
    return list(names)
