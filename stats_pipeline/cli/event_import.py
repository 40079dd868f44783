"""`stats events import` and `undo-import`: bring events in, and take them back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import UserError
from stats_pipeline.cli.lines import (
    OpenFile,
    files_argument,
    is_readable_once,
    open_lines,
    size_bytes,
)
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, Progress, amount
from stats_pipeline.errors import StatsError
from stats_pipeline.pipeline.moving.event_lines import LONGEST_LINE_BYTES
from stats_pipeline.pipeline.moving.importing import EventsImport, ImportReport
from stats_pipeline.pipeline.moving.undo import UndoReport

IMPORT_EPILOG = """\b
Examples:
  stats events import downloads.ndjson.gz
  stats events import --import-id december --type file-download december-*.gz
Then bring the statistics up to date:
  stats update
"""

UNDO_EPILOG = """\b
Examples:
  stats events undo-import december && stats update
"""

#: Of each file, to tell by it which import is meant.
SAMPLE_BYTES = 65_536


@click.command("import", epilog=IMPORT_EPILOG)
@files_argument
@click.option(
    "--type",
    "event_type",
    metavar="EVENT_TYPE",
    help="Import all lines into this event type; default: the one that each line says.",
)
@click.option(
    "--import-id",
    metavar="ID",
    help="Name the import, to undo it by that; default: made of what the files hold.",
)
@stats_command
def import_events(
    output: Output, files: tuple[str, ...], event_type: str | None, import_id: str | None
) -> None:
    """Import events that `stats events export` has written.

    Plain or gzip; - is standard input. They stay as they are: anonymous, and flagged or not. Bare
    events (one JSON object in each line, with timestamp, --type, and event_id unless a preprocessor
    makes it) go through the preprocessors of their type. May be ended at any time and run again:
    nothing counts twice. Lines that can't be imported are named; the others are imported, and the
    exit code is 2.
    """
    events_import = current_stats.moving.importing(import_id or _import_id(files), event_type)
    report = events_import.report
    try:
        with output.progress(f"Importing {report.import_id}") as progress:
            _take(events_import, files, progress)
    except (StatsError, KeyboardInterrupt):
        if events_import.has_written:
            output.warning(
                f"Import {report.import_id} is not complete. Run it again with --import-id "
                f"{report.import_id}, or take it back: stats events undo-import {report.import_id}"
            )
        raise
    output.result(report.as_dict(), _import_lines(report))
    if report.bad:
        others = "; the others are" if report.bad < report.lines else ""
        raise UserError(f"{report.bad:,} of {report.lines:,} lines can't be imported{others}")


@click.command("imports")
@stats_command
def list_imports(output: Output) -> None:
    """List the imports of events, to undo one by its id.

    With the number of events that are stored as each brought them: 0 where it was undone, where it
    brought nothing new, or where others have corrected its events or retention has deleted them.
    """
    entries = [entry.as_dict() for entry in current_stats.moving.imports()]
    columns = ("import_id", "event_type", "begun_at", "events")
    rows = [[entry[name] for name in columns] for entry in entries]
    heading = [name.replace("_", " ") for name in columns]
    output.listing(entries, rows, heading, empty="There were no imports")


@click.command("undo-import", epilog=UNDO_EPILOG)
@click.argument("import_id", metavar="ID")
@stats_command
def undo_import(output: Output, import_id: str) -> None:
    """Take back what an import brought.

    An event stays that came by the queue as well, or by another import. Totals follow at the next
    update. May be ended at any time and run again.
    """
    with output.progress("Undoing") as progress:
        report = current_stats.moving.undo_import(import_id, progress=progress)
    output.result(report.as_dict(), _undo_lines(report))


def _take(events_import: EventsImport, files: Sequence[str], progress: Progress) -> None:
    total_bytes = sum(map(size_bytes, files))
    done_bytes = 0

    def show(file: OpenFile) -> None:
        progress(done_bytes + file.position_bytes(), total_bytes)

    for name in files:
        with open_lines(name, longest_bytes=LONGEST_LINE_BYTES) as file:
            events_import.take(file.name, file.lines(), partial(show, file))
        done_bytes += size_bytes(name)


def _import_id(files: Sequence[str]) -> str:
    """Return an id that the same files have again; what can be read only once has a new one."""
    if any(map(is_readable_once, files)):
        return f"stdin-{uuid4().hex[:12]}"
    digest = blake2b(digest_size=6)
    for name in files:
        with Path(name).open("rb") as file:
            digest.update(f"{size_bytes(name)}/".encode() + file.read(SAMPLE_BYTES))
    return f"files-{digest.hexdigest()}"


def _import_lines(report: ImportReport) -> Iterator[str]:
    for bad in report.bad_lines:
        yield f"{bad['file']}, line {bad['line']:,}: {bad['reason']}"
    if report.bad > len(report.bad_lines):
        yield f"... and {report.bad - len(report.bad_lines):,} more"
    yield amount(report.lines, "line", " read")
    for name in ("added", "changed", "known", "dropped", "bad"):
        yield f"{getattr(report, name):>12,} {name}"
    if report.added + report.changed + report.known:
        yield f"To take it back: stats events undo-import {report.import_id}"


def _undo_lines(report: UndoReport) -> Iterator[str]:
    yield f"{report.removed:>12,} removed"
    yield f"{report.restored:>12,} back at a lower revision"
    yield f"{report.kept:>12,} stay, since another import has brought them as well"
    for name, bound in report.sealed_before.items():
        yield (
            f"{name}: rows that end by {bound} stay as they are, since their events are deleted "
            "(retention_days)"
        )
