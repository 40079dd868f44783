"""`stats migrate invenio-events`: import the events that invenio-stats has stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click

from stats_pipeline.cli import (
    Output,
    amount,
    files_argument,
    processed_lines,
    stats_command,
)
from stats_pipeline.contrib.invenio_stats.event_import import EventImport
from stats_pipeline.errors import ConfigurationError

EPILOG = """\b
Examples:
  stats migrate invenio-events --dry-run file-download events.ndjson.gz
  elasticdump --input=http://localhost:9200/events-stats-file-download --output=$ \\
    | stats migrate invenio-events file-download -
Then bring the statistics up to date:
  stats update
"""


@click.command("invenio-events", epilog=EPILOG)
@click.argument("event_type", metavar="EVENT_TYPE")
@files_argument
@click.option(
    "--drop-unknown",
    is_flag=True,
    help="Leave out the fields that the event type does not know; else their lines are refused.",
)
@click.option("--dry-run", is_flag=True, help="Only read the files and say what would be imported.")
@stats_command
def migrate_events(
    output: Output, event_type: str, files: tuple[str, ...], drop_unknown: bool, dry_run: bool
) -> None:
    """Import exported events of invenio-stats.

    One JSON document in each line, as elasticdump writes them or bare sources; plain or gzip; - is
    standard input. Visitors stay as anonymous as they were, and robots stay flagged. Importing a
    file again changes nothing. Lines that are no events are counted, and the first of them shown.
    """
    event_import = EventImport(event_type, drop_unknown=drop_unknown, dry_run=dry_run)
    with output.progress("Reading" if dry_run else "Importing") as progress:
        event_import.run(files, progress)
    result = _result(event_import, dry_run)
    output.result(result, _lines(result))
    if event_import.counts.refused:
        raise ConfigurationError(
            f"{event_import.counts.refused:,} lines have fields that {event_type} does not know: "
            f"{', '.join(sorted(event_import.counts.unknown_fields))}. Add them to its index "
            "template, or say --drop-unknown, and import again, which counts nothing twice"
        )


def _result(event_import: EventImport, dry_run: bool) -> dict[str, Any]:
    events = None if dry_run else event_import.processed
    return {**asdict(event_import.counts), "dry_run": dry_run, "events": events}


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    yield amount(result["lines"], "line", " read")
    yield f"{result['accepted']:>12,} accepted"
    yield f"{result['refused']:>12,} refused for their fields"
    yield f"{result['malformed']:>12,} malformed"
    for malformed in result["first_malformed"]:
        yield f"{'':>12} {malformed['file']}, line {malformed['line']:,}: {malformed['reason']}"
    for name, number in sorted(result["unknown_fields"].items()):
        yield f"{number:>12,} with the unknown field {name}"
    if result["events"] is None:
        yield "Nothing was imported (--dry-run)"
        return
    yield from processed_lines(result["events"])
