"""`stats events export`: the stored events of a type, as lines of JSON."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import Unavailable, UserError
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output
from stats_pipeline.text import noun

EPILOG = """\b
Examples:
  stats events export file-download -o downloads.ndjson.gz
  stats events export file-download --start 2016-12-01 --end 2016-12-31 | gzip > december.gz
"""

STANDARD_OUTPUT = "-"

Write = Callable[[bytes], object]


@click.command("export", epilog=EPILOG)
@click.argument("event_type", metavar="EVENT_TYPE")
@click.option("--start", metavar="TIME", help="Only events from this ISO 8601 date or time on.")
@click.option(
    "--end",
    metavar="TIME",
    help="Only events before this time; a bare date means through its end (UTC).",
)
@click.option(
    "-o",
    "--output",
    "file_name",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    default=STANDARD_OUTPUT,
    help="Write to this file, as gzip where it ends in .gz; default: standard output.",
)
@stats_command
def export(
    output: Output, event_type: str, start: str | None, end: str | None, file_name: str
) -> None:
    """Write the stored events of a type, one in each line.

    Oldest first, with their anonymous ids, flags, corrections and withdrawals, for `stats events
    import` in this place or another. A file is there when it is whole; a pipe or a device is
    written to at once.
    """
    if file_name == STANDARD_OUTPUT and output.as_json:
        raise click.UsageError("--json needs a file to write to (-o FILE)")
    with output.progress("Exporting") as progress:
        lines = current_stats.moving.export(event_type, start, end, progress=progress)
        with _standard_output() if file_name == STANDARD_OUTPUT else _file(file_name) as write:
            written = _write(lines, write)
    if file_name != STANDARD_OUTPUT:
        result = {"event_type": event_type, "events": written, "file": file_name}
        output.result(result, [f"{written:,} {noun(written, 'event')} written to {file_name}"])


def _write(lines: Iterable[bytes], write: Write) -> int:
    number = 0
    for number, line in enumerate(lines, start=1):  # noqa: B007 - counts them
        write(line)
    return number


@contextmanager
def _standard_output() -> Iterator[Write]:
    try:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # who reads it has enough; click ends without a word
        raise
    except OSError as error:
        # What waits in the buffer would fail once more when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise _unwritable("standard output", error) from error


@contextmanager
def _file(name: str) -> Iterator[Write]:
    """Open the file so that it is there when all is written; a pipe or device is just opened."""
    try:
        if _is_regular(name):
            # Of a link, what it leads to is replaced.
            writing = _replacing(Path(name).resolve(), name)
        else:
            writing = _open(Path(name), name)
        with writing as write:
            yield write
    except OSError as error:
        raise _unwritable(name, error) from error


def _is_regular(name: str) -> bool:
    """Tell whether this is a regular file, or will be one."""
    try:
        Path(name).stat()
    except FileNotFoundError:
        return True
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from error
    return Path(name).is_file()


@contextmanager
def _replacing(target: Path, name: str) -> Iterator[Write]:
    """Open a file beside the one that is wanted; it takes its place when all is written."""
    part = target.with_name(f"{target.name}.part")
    try:
        with _open(part, name) as write:
            if target.exists():
                shutil.copymode(target, part)
            yield write
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


@contextmanager
def _open(path: Path, name: str) -> Iterator[Write]:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("wb"))
        except OSError as error:
            raise UserError(f"{name}: {error.strerror}") from error
        if name.endswith(".gz"):
            # Without the time, so that the same events are the same bytes.
            packed = gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)
            yield stack.enter_context(packed).write
        else:
            yield file.write


def _unwritable(name: str, error: OSError) -> Unavailable:
    return Unavailable(f"{name} can't be written to its end: {error.strerror}")
