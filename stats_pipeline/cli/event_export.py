"""`stats events export`: the stored events of a type, as lines of JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import Unavailable, UserError
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output
from stats_pipeline.cli.part_file import PartFile, packed, part_of
from stats_pipeline.pipeline.moving.export import Export
from stats_pipeline.text import noun

EPILOG = """\b
Examples:
  stats events export file-download -o downloads.ndjson.gz
  stats events export file-download --start 2016-12-01 --end 2016-12-31 | gzip > december.gz
"""

STANDARD_OUTPUT = "-"

#: Of the names of files that are written as gzip.
PACKED = ".gz"

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
    import` in this place or another. A file is there when it is whole, and until then it is
    FILE.part: where an export was killed, the same command goes on with that. A pipe or a device is
    written to at once.
    """
    if file_name == STANDARD_OUTPUT and output.as_json:
        raise click.UsageError("--json needs a file to write to (-o FILE)")
    exporting = current_stats.moving.exporting(event_type, start, end)
    if file_name == STANDARD_OUTPUT or not _is_regular(file_name):
        written = _write_at_once(output, exporting, file_name)
    else:
        written = _write_file(output, exporting, file_name)
    if file_name != STANDARD_OUTPUT:
        result = {"event_type": event_type, "events": written, "file": file_name}
        output.result(result, [f"{written:,} {noun(written, 'event')} written to {file_name}"])


def _write_file(output: Output, exporting: Export, name: str) -> int:
    """Write a file that is there when it is whole; return how many events are in it."""
    # Of a link, what it leads to is replaced.
    target = Path(name).resolve()
    is_packed = name.endswith(PACKED)
    try:
        with part_of(target, exporting.question, is_packed=is_packed) as part:
            if part.state.done:
                output.warning(f"Going on with {target}.part: {_sure(part)}")
            try:
                with output.progress("Exporting") as progress:
                    for day, lines in exporting.days(progress, part.state.done):
                        part.take(day, lines)
            except BaseException:
                if part.state.done:
                    output.warning(f"The same command goes on with {target}.part: {_sure(part)}")
                raise
    except OSError as error:
        raise _unwritable(name, error) from error
    return part.lines


def _sure(part: PartFile) -> str:
    number = part.state.lines
    return f"{number:,} {noun(number, 'event')}, through {part.state.done}"


def _write_at_once(output: Output, exporting: Export, name: str) -> int:
    """Write to a pipe, a device or standard output; return how many events there were."""
    number = 0
    is_standard = name == STANDARD_OUTPUT
    with (
        output.progress("Exporting") as progress,
        _standard_output() if is_standard else _device(name) as write,
    ):
        for _, lines in exporting.days(progress):
            for line in lines:
                write(line)
                number += 1
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
def _device(name: str) -> Iterator[Write]:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(name).open("wb"))
        except OSError as error:
            raise UserError(f"{name}: {error.strerror}") from error
        try:
            if name.endswith(PACKED):
                yield stack.enter_context(packed(file)).write
            else:
                yield file.write
            stack.close()
        except OSError as error:
            raise _unwritable(name, error) from error


def _unwritable(name: str, error: OSError) -> Unavailable:
    return Unavailable(f"{name} can't be written to its end: {error.strerror}")
