"""One dict of the old configuration, of which every key is taken or listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stats_pipeline.contrib.invenio_stats.findings import Findings, Remark
from stats_pipeline.contrib.invenio_stats.names import RETIRED_KEYS
from stats_pipeline.contrib.invenio_stats.references import (
    dotted_path,
    find,
    how_to_name,
    importable,
    is_plain,
    peer_name,
    shown,
    why_unusable,
)


class Entry:
    """Give the values of a dict; `rest` lists those that nobody took.

    Args:
        where: how notes call it, as ``STATS_EVENTS['file-download']``.
        raw: the dict.
        findings: where notes go.
    """

    def __init__(self, where: str, raw: Mapping[str, Any], findings: Findings) -> None:
        self.where = where
        self.findings = findings
        self._raw = dict(raw)

    def take(self, key: str, default: Any = None) -> Any:
        """Return a value and cross it off."""
        return self._raw.pop(key, default)

    def look(self, key: str) -> Any:
        """Return a value and leave it there."""
        return self._raw.get(key)

    def has(self, key: str) -> bool:
        """Tell whether a key is there and was not taken."""
        return key in self._raw

    def left(self) -> list[str]:
        """Return the keys that nobody has taken yet."""
        return list(self._raw)

    def at(self, key: str) -> str:
        """Return how notes call a value of this dict."""
        return f"{self.where}[{key!r}]"

    def lose(self, key: str, why: str, what_to_do: str) -> Remark:
        """Note that the value of a key could not be translated."""
        return self.findings.lose(self.at(key), why, what_to_do)

    def plain(self, key: str) -> Any:
        """Return a value that is written as it is; a remark in its place where it can't be."""
        value = self.take(key)
        if is_plain(value):
            return value
        return self.lose(key, f"{shown(value)} is no plain value", "Import it and name it here")

    def nested(self, key: str) -> Entry:
        """Return the dict that is the value of a key; an empty one where there is none."""
        value = self.take(key)
        if value is not None and not isinstance(value, Mapping):
            self.lose(key, f"{shown(value)} is not a dict", "Write a dict")
            value = None
        return Entry(self.at(key), value or {}, self.findings)

    def one(self, key: str, value: Any, known: Mapping[str, str]) -> str | Remark:
        """Return the path of a thing that is named by the key, by its name here if it has one."""
        path = known.get(peer_name(value) or "") or self._own(value)
        return path or self.lose(key, why_unusable(value), how_to_name(value))

    def several(
        self, key: str, values: Any, translate: Callable[[Any], Iterable[str] | None]
    ) -> list[str | Remark] | Remark:
        """Return the paths of the things that a list names; `translate` gives those known here."""
        if not isinstance(values, list | tuple):
            return self.lose(key, f"{shown(values)} is not a list", "Write a list")
        found: list[str | Remark] = []
        for value in values:
            known = translate(value)
            own = self._own(value)
            if known is not None:
                found += known
            elif own is not None:
                found.append(own)
            else:
                found.append(self.lose(key, why_unusable(value), how_to_name(value)))
        return found

    def rest(self) -> dict[str, Remark]:
        """Note every key that nobody took; return the comments for their places."""
        remarks = {}
        for key in self.left():
            value = self.take(key)
            unknown = (f"{shown(value)}: this key is not known", "Find out what it was for")
            remarks[key] = self.lose(key, *RETIRED_KEYS.get(key, unknown))
        return remarks

    def _own(self, value: Any) -> str | None:
        """Return the path of a thing of the host; what belongs to invenio-stats is not ours."""
        return importable(value) if peer_name(value) is None else None


def resolve(where: str, raw: Any, findings: Findings, app: Any) -> Mapping[str, Any] | Remark:
    """Return an entry of the configuration: a dict, its path, or what makes it of an app.

    A remark where it is none of these.
    """
    value = find(raw) if isinstance(raw, str) else raw
    if callable(value):
        try:
            value = value(app)
        except Exception as error:  # noqa: BLE001 - the operator's code may raise anything
            return findings.lose(where, f"{shown(raw)} raised {error!r}", "Write what it returns")
    if isinstance(value, Mapping):
        return value
    why = why_unusable(raw) if dotted_path(raw) else f"{shown(raw)} gives no dict"
    return findings.lose(where, why, "Write the dict in its place")
