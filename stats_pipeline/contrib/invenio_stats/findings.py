"""What a translation could not do, or did differently: for the summary and for the text itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

#: Marks a remark that stands in the place of a value.
NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Note:
    """Say where something is, why it could not be taken over as it was, and what to do."""

    where: str
    why: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Be a comment in the written configuration, above a value or in the place of one."""

    text: str
    value: Any = NOTHING


@dataclass(slots=True)
class Findings:
    """Collect notes while a configuration is translated.

    Attributes:
        not_translated: what is missing in the result.
        to_check: what is there, but means something else than before, or was assumed.
    """

    not_translated: list[Note] = field(default_factory=list)
    to_check: list[Note] = field(default_factory=list)

    def lose(self, where: str, why: str, what_to_do: str) -> Remark:
        """Note what could not be translated; return the comment for its place."""
        self.not_translated.append(Note(where, why, what_to_do))
        return Remark(f"NOT TRANSLATED: {where}: {why}. {what_to_do}.")

    def doubt(self, where: str, value: Any, why: str, what_to_do: str) -> Remark:
        """Note what somebody should look at; return the value with a comment."""
        self.to_check.append(Note(where, why, what_to_do))
        return Remark(f"CHECK: {why}. {what_to_do}.", value)
