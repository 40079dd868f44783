"""Where the bars, lines and labels of a chart are, in the units of its SVG. Pure: no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from stats_pipeline.clock import parse_time

WIDTH, HEIGHT = 960, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 16, 34

#: As many labels as fit side by side below the chart.
MOST_DATE_LABELS = 8

#: A date in the page's font; nearer to the right edge a label would be cut off.
LABEL_WIDTH = 72

#: Lines across the chart, about.
VALUE_LINES = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """Be one bucket: a rectangle, what it stands for, and its label if it has one."""

    x: float
    y: float
    width: float
    height: float
    date: str
    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """Be a line across the chart at a round value."""

    y: float
    value: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Be what a template draws."""

    bars: Sequence[Bar]
    lines: Sequence[Line]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    floor: int = HEIGHT - BOTTOM


def draw(buckets: Sequence[Mapping[str, Any]], interval: str, zone: tzinfo) -> Chart:
    """Return the bar chart of a histogram's buckets, labelled in their zone; null counts as 0."""
    values = [max(0.0, bucket["value"] or 0.0) for bucket in buckets]
    step = round_step(max(values, default=0.0))
    highest = max(1, math.ceil(max(values, default=0.0) / step)) * step
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(buckets))
    every = math.ceil(len(buckets) / MOST_DATE_LABELS) or 1
    bars = []
    for number, (bucket, value) in enumerate(zip(buckets, values, strict=True)):
        height = value / highest * (HEIGHT - TOP - BOTTOM)
        date = date_label(bucket["date"], interval, zone)
        has_label = number % every == 0 and number * slot <= WIDTH - LEFT - RIGHT - LABEL_WIDTH
        bars.append(
            Bar(
                x=round(LEFT + number * slot + slot * 0.1, 2),
                y=round(HEIGHT - BOTTOM - height, 2),
                width=round(slot * 0.8, 2),
                height=round(height, 2),
                date=date,
                value=value,
                label=date if has_label or number == 0 else "",
            )
        )
    return Chart(bars, _lines(step, highest))


def round_step(highest: float) -> float:
    """Return the distance between lines: 1, 2 or 5 times a power of ten, never below 1."""
    rough = highest / VALUE_LINES
    if rough <= 1:
        return 1
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def date_label(date: str, interval: str, zone: tzinfo) -> str:
    """Return as much of a bucket's date, in the zone where it begins, as its interval needs."""
    begins = parse_time(date).astimezone(zone)
    if interval == "quarter":
        return f"{begins.year:04}-Q{(begins.month + 2) // 3}"
    text = begins.isoformat(sep=" ")
    return text[: {"hour": 16, "month": 7, "year": 4}.get(interval, 10)]


def _lines(step: float, highest: float) -> list[Line]:
    count = round(highest / step)
    height = HEIGHT - TOP - BOTTOM
    return [
        Line(y=round(HEIGHT - BOTTOM - number / count * height, 2), value=number * step)
        for number in range(count + 1)
    ]
