"""Which lines of a log are taken, and what became of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from stats_pipeline.cli import OpenFile
from stats_pipeline.contrib.access_log.identity import LineIdentities
from stats_pipeline.contrib.access_log.parser import MalformedLine, parse_line
from stats_pipeline.errors import UnreadableFile

#: How many malformed lines are shown: enough to see what is wrong with a file.
SHOWN_MALFORMED = 5


@dataclass(frozen=True, slots=True)
class Malformed:
    """Say where a malformed line is and what is wrong with it."""

    file: str
    line: int
    reason: str


@dataclass(slots=True)
class LineCounts:
    """Count lines: ``lines = accepted + other_method + other_status + malformed``.

    Attributes:
        lines: how many were read, blank ones not counted.
        accepted: how many are to be events.
        other_method, other_status: how many well-formed ones were not asked for.
        malformed: how many are in neither format.
        first_malformed: the first of those.
    """

    lines: int = 0
    accepted: int = 0
    other_method: int = 0
    other_status: int = 0
    malformed: int = 0
    first_malformed: list[Malformed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Selection:
    """Say which requests are wanted.

    Attributes:
        methods: in capitals; empty for all.
        statuses: as ``200`` or ``2xx``; empty for all.
    """

    methods: Sequence[str] = ()
    statuses: Sequence[str] = ()

    def events(self, log: OpenFile, counts: LineCounts) -> Iterator[dict[str, Any]]:
        """Yield the wanted events of a log, and count all of its lines.

        Raises:
            UnreadableFile: at the end, where no line of the log was a request.
        """
        malformed_before, lines_before = counts.malformed, counts.lines
        with closing(LineIdentities()) as identities:
            for number, line in log.lines():
                counts.lines += 1
                try:
                    event = parse_line(line)
                except MalformedLine as error:
                    _count_malformed(counts, Malformed(log.name, number, str(error)))
                    continue
                if self._takes(event, counts):
                    event["event_id"] = identities.of(line, event["timestamp"])
                    yield event
        lines = counts.lines - lines_before
        if lines and lines == counts.malformed - malformed_before:
            raise UnreadableFile(
                f"{log.name}: none of its {lines:,} lines is in common or combined log format"
            )

    def _takes(self, event: dict[str, Any], counts: LineCounts) -> bool:
        status = str(event["status"])
        if self.methods and event["method"] not in self.methods:
            counts.other_method += 1
            return False
        if self.statuses and not {status, f"{status[0]}xx"}.intersection(self.statuses):
            counts.other_status += 1
            return False
        counts.accepted += 1
        return True


def _count_malformed(counts: LineCounts, malformed: Malformed) -> None:
    counts.malformed += 1
    if len(counts.first_malformed) < SHOWN_MALFORMED:
        counts.first_malformed.append(malformed)
