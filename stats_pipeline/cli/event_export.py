"""`stats events export`: the stored events of a type, as lines of JSON."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output
from stats_pipeline.errors import UnreadableFile

EPILOG = """\b
Examples:
  stats events export file-download -o downloads.ndjson.gz
  stats events export file-download --start 2016-12-01 --end 2016-12-31 | gzip > december.gz
"""

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
    default="-",
    help="Write to this file, as gzip where it ends in .gz; default: standard output.",
)
@stats_command
def export(
    output: Output, event_type: str, start: str | None, end: str | None, file_name: str
) -> None:
    """Write the stored events of a type, one in each line.

    Oldest first, with their anonymous ids, flags, corrections and withdrawals, for `stats events
    import` in this place or another. A file is there when it is whole.
    """
    if file_name == "-" and output.as_json:
        raise click.UsageError("--json needs a file to write to (-o FILE)")
    with output.progress("Exporting") as progress:
        lines = current_stats.moving.export(event_type, start, end, progress=progress)
        if file_name == "-":
            written = _write(lines, sys.stdout.buffer.write)
        else:
            with _file(file_name) as write:
                written = _write(lines, write)
    if file_name != "-":
        result = {"event_type": event_type, "events": written, "file": file_name}
        output.result(result, [f"{written:,} events written to {file_name}"])


def _write(lines: Iterable[bytes], write: Write) -> int:
    number = 0
    for number, line in enumerate(lines, start=1):  # noqa: B007 - counts them
        write(line)
    return number


@contextmanager
def _file(name: str) -> Iterator[Write]:
    """Open a file beside the one that is wanted; it takes its name when all is written."""
    part = Path(f"{name}.part")
    try:
        with ExitStack() as stack:
            file = stack.enter_context(part.open("wb"))
            if name.endswith(".gz"):
                # Without the time, so that the same events are the same bytes.
                packed = gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)
                yield stack.enter_context(packed).write
            else:
                yield file.write
        part.replace(name)
    except OSError as error:
        raise UnreadableFile(f"{name}: {error.strerror}") from error
