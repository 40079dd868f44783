"""One dict of the old configuration, of which every key is taken or listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stats_pipeline.contrib.invenio_stats.findings import Findings, Remark
from stats_pipeline.contrib.invenio_stats.names import FIRST_KEYS, RETIRED_KEYS
from stats_pipeline.contrib.invenio_stats.references import (
    Unpacked,
    dotted_path,
    find,
    how_to_name,
    importable,
    is_plain,
    peer_name,
    shown,
    why_unusable,
)

#: Of what is not there, and so may have held anything.
UNKNOWN_DICT = (
    "It can't be imported here, so that what it holds is not known",
    "Run the command where it is installed",
)


class Entry:
    """Give the values of a dict; `rest` lists those that nobody took.

    Args:
        where: how notes call it, as ``STATS_EVENTS['file-download']``.
        raw: the dict.
        findings: where notes go.
        first_names: keys of the first version -> the later ones, by which they are taken here.
    """

    def __init__(
        self,
        where: str,
        raw: Mapping[str, Any],
        findings: Findings,
        *,
        first_names: Mapping[str, str] = FIRST_KEYS,
    ) -> None:
        self.where = where
        self.findings = findings
        self._raw = later_names(raw, first_names)
        self._written = dict(zip(self._raw, raw, strict=True))

    @property
    def is_of_first_version(self) -> bool:
        """Tell whether one of its keys was written by its first name."""
        return any(later != written for later, written in self._written.items())

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
        """Return the keys that nobody has taken yet, but for those of which nothing is known."""
        return [key for key in self._raw if not isinstance(key, Unpacked)]

    def at(self, key: str) -> str:
        """Return how notes call a value of this dict, by the key that is written there."""
        if isinstance(key, Unpacked):
            return f"{self.where}[**{key}]"
        return f"{self.where}[{self._written.get(key, key)!r}]"

    def lose(self, key: str, why: str, what_to_do: str) -> Remark:
        """Note that the value of a key could not be translated."""
        return self.findings.lose(self.at(key), why, what_to_do)

    def plain(self, key: str) -> Any:
        """Return a value that is written as it is; a remark in its place where it can't be."""
        value = self.take(key)
        if is_plain(value):
            return value
        return self.lose(key, f"{shown(value)} is no plain value", "Import it and name it here")

    def nested(self, key: str, *, first_names: Mapping[str, str] | None = None) -> Entry:
        """Return the dict that is the value of a key; an empty one where there is none."""
        value = self.take(key)
        if value is not None and not isinstance(value, Mapping):
            self.lose(key, f"{shown(value)} is not a dict", "Write a dict")
            value = None
        return Entry(self.at(key), value or {}, self.findings, first_names=first_names or {})

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
        """Note every key that nobody took; return the comments for their places.

        They have keys that nothing translated has: names of the first version are those of here.
        """
        remarks = {}
        for key in list(self._raw):
            value = self.take(key)
            unknown = (f"{shown(value)}: this key is not known", "Find out what it was for")
            reason = UNKNOWN_DICT if isinstance(key, Unpacked) else RETIRED_KEYS.get(key, unknown)
            remarks[self.at(key)] = self.lose(key, *reason)
        return remarks

    def _own(self, value: Any) -> str | None:
        """Return the path of a thing of the host; what belongs to invenio-stats is not ours."""
        return importable(value) if peer_name(value) is None else None


def later_names(raw: Mapping[str, Any], first_names: Mapping[str, str]) -> dict[str, Any]:
    """Return the dict with the later names of its keys; where it has both, the later one counts."""
    return {
        key if first_names.get(key, key) in raw else first_names.get(key, key): value
        for key, value in raw.items()
    }


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
