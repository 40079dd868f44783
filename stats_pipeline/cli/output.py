"""What a command says: its result on standard output, everything else on standard error."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from stats_pipeline.text import json_lines, noun, one_line

#: Called with how much is done and how much there is; the second may grow.
Progress = Callable[[int, int], None]

#: How often progress is said where there is no terminal.
LINE_EVERY_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """Be where a command says things.

    Attributes:
        as_json: whether the result is one JSON document.
        verbosity: how many -v were given.
    """

    as_json: bool = False
    verbosity: int = 0

    def result(self, data: Any, text: Iterable[str]) -> None:
        """Say the result, as JSON or as lines of text."""
        if self.as_json:
            click.echo(json_lines(data))
        else:
            for line in text:
                click.echo(one_line(line))

    def summary(self, data: Any, text: Iterable[str]) -> None:
        """Say the result of a job that is fit for cron: as text only to a person or with -v."""
        if self.as_json or self.verbosity or sys.stdout.isatty():
            self.result(data, text)

    def listing(
        self, data: Any, rows: Sequence[Sequence[object]], heading: Sequence[str], *, empty: str
    ) -> None:
        """Say a list, as JSON or as a table; that there is nothing in it only to a person."""
        nothing = [empty] if sys.stdout.isatty() else []
        self.result(data, table(rows, heading) if rows else nothing)

    def warning(self, text: str) -> None:
        """Say that something needs attention."""
        click.echo(one_line(f"Warning: {' '.join(text.split())}"), err=True)

    def notice(self, text: str) -> None:
        """Say on a terminal what is waited for; elsewhere the log has it with -v."""
        if sys.stderr.isatty():
            click.echo(f"\n{one_line(text)}", err=True)  # below the bar

    @contextmanager
    def progress(self, label: str) -> Iterator[Progress]:
        """Show progress: a bar with an ETA on a terminal, elsewhere lines with -v."""
        if sys.stderr.isatty():
            with click.progressbar(
                length=0, label=label, file=sys.stderr, show_percent=True
            ) as bar:
                yield _on_bar(bar)
        elif self.verbosity:
            yield _in_lines(label)
        else:
            yield _nowhere


def show_log(level: int) -> None:
    """Send the log of the package, from this level on, to standard error.

    A host that has configured logging keeps it as it is.
    """
    logger = logging.getLogger("stats_pipeline")
    if not logger.hasHandlers():
        handler = _EchoHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(level)


def table(rows: Sequence[Sequence[object]], heading: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a table; numbers stand to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heading, *cells, strict=True)]
    is_number = [
        all(isinstance(row[column], int | float) for row in rows) for column in range(len(heading))
    ]
    for line in [list(heading), *cells]:
        padded = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(line, widths, is_number, strict=True)
        ]
        yield "  ".join(padded).rstrip()


def amount(number: int, one: str, rest: str = "") -> str:
    """Return a line of a list of numbers, below each other: ``       1 line read``."""
    return f"{number:>12,} {noun(number, one)}{rest}"


def processed_lines(numbers: Mapping[str, int]) -> Iterator[str]:
    """Yield what became of events: a line for each outcome."""
    yield amount(numbers["indexed"], "event", " indexed")
    yield amount(numbers["duplicates"], "duplicate")
    yield amount(numbers["dropped"], "event", " dropped")
    yield amount(numbers["dead"], "dead letter")


def tree(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the lines of nested dicts and lists, indented."""
    indent = "  " * depth
    entries = value.items() if isinstance(value, dict) else (("-", item) for item in value)
    for key, item in entries:
        if isinstance(item, dict | list | tuple) and item:
            yield f"{indent}{key}:" if key != "-" else f"{indent}-"
            yield from tree(item, depth + 1)
        else:
            separator = " " if key == "-" else ": "
            yield f"{indent}{key}{separator}{_cell(item)}"


class _EchoHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


def _cell(value: object) -> str:
    if value is None or (isinstance(value, dict | list | tuple) and not value):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list | tuple):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return one_line(value)


def _on_bar(bar: Any) -> Progress:
    def show(done: int, total: int) -> None:
        bar.length = total
        bar.finished = False  # the total may have grown since
        bar.pos = min(bar.pos, done)  # it may be another count than before
        bar.update(done - bar.pos)

    return show


def _in_lines(label: str) -> Progress:
    said_at = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= LINE_EVERY_SECONDS:
            said_at = time.monotonic()
            share = f" ({100 * done // total} %)" if total else ""
            click.echo(f"{label}: {done:,} of {total:,}{share}", err=True)

    return show


def _nowhere(done: int, total: int) -> None:
    """Show nothing."""
