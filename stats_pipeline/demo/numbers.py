"""The numbers that the demonstration is about, whoever worked them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stats_pipeline.errors import StatsError


class NotExact(StatsError):
    """Say that the pipeline's numbers are not the ones that they must be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """Say what became of the events of one type.

    Attributes:
        sent: how many were sent.
        redelivered: how many of those were deliveries of one that had come before.
        merged: how many were repeats of a click within its window.
        robots: how many clicks of robots were left out.
        per_day: ISO date -> how many were counted.
        per_item: name of the file or record -> how many were counted.
    """

    sent: int
    redelivered: int
    merged: int
    robots: int
    per_day: Mapping[str, int]
    per_item: Mapping[str, int]

    @property
    def counted(self) -> int:
        """Return how many were counted."""
        return sum(self.per_day.values())

    def named(self) -> dict[str, int]:
        """Return every single number by a name that tells what it is."""
        return {
            "sent": self.sent,
            "redelivered": self.redelivered,
            "repeat clicks merged": self.merged,
            "robots left out": self.robots,
            "counted": self.counted,
            **{f"counted on {day}": number for day, number in self.per_day.items()},
            **{f"counted for {item}": number for item, number in self.per_item.items()},
        }


def differences(expected: Numbers, measured: Numbers) -> Iterator[str]:
    """Yield a line for every number in which the two are not the same."""
    one, other = expected.named(), measured.named()
    for name in dict.fromkeys([*one, *other]):
        if one.get(name, 0) != other.get(name, 0):
            yield f"{name}: expected {one.get(name, 0):,}, the pipeline says {other.get(name, 0):,}"
