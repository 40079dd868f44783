"""`stats events import-log`: count the requests of a web server's log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
from stats_pipeline.contrib.access_log.importing import LogImport, check_active
from stats_pipeline.contrib.access_log.selection import Selection

EPILOG = """\b
Examples:
  stats events import-log --method GET --status 200 access.log.gz
  stats events import-log --dry-run /var/log/apache2/access.log.*
  ssh web cat access.log | stats events import-log -
Then bring the statistics up to date and ask for them:
  stats update
  stats query access-log-terms
"""

_METHOD = re.compile(r"[A-Za-z]+")
_STATUS = re.compile(r"[1-5](\d\d|xx)")


def _methods(
    _ctx: click.Context, _parameter: click.Parameter, values: Sequence[str]
) -> tuple[str, ...]:
    for value in values:
        if not _METHOD.fullmatch(value):
            raise click.BadParameter(f"{value!r} is not a method such as GET")
    return tuple(value.upper() for value in values)


def _statuses(
    _ctx: click.Context, _parameter: click.Parameter, values: Sequence[str]
) -> tuple[str, ...]:
    for value in values:
        if not _STATUS.fullmatch(value):
            raise click.BadParameter(f"{value!r} is neither a status such as 200 nor 2xx")
    return tuple(values)


@click.command("import-log", epilog=EPILOG)
@files_argument
@click.option(
    "--method",
    "methods",
    multiple=True,
    callback=_methods,
    metavar="METHOD",
    help="Take only requests of this method; may be given several times.",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    callback=_statuses,
    metavar="STATUS",
    help="Take only requests with this status, as 200 or 2xx; may be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Only read the files and say what would be imported.")
@stats_command
def import_log(
    output: Output,
    files: tuple[str, ...],
    methods: tuple[str, ...],
    statuses: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Import access logs of web servers.

    In common or combined format, plain or gzip; - is standard input. Each request becomes an
    event at its own time. Importing a file again changes nothing. Lines in neither format are
    counted, and the first of them shown. Addresses, users and agents are replaced by anonymous
    visitors before anything is stored; query strings are not kept.
    """
    if not dry_run:
        check_active()
    log_import = LogImport(Selection(methods, statuses), dry_run=dry_run)
    with output.progress("Reading" if dry_run else "Importing") as progress:
        log_import.run(files, progress)
    result = _result(log_import, dry_run)
    output.result(result, _lines(result))


def _result(log_import: LogImport, dry_run: bool) -> dict[str, Any]:
    events = None if dry_run else log_import.processed
    return {**asdict(log_import.counts), "dry_run": dry_run, "events": events}


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    yield amount(result["lines"], "line", " read")
    yield f"{result['accepted']:>12,} accepted"
    yield f"{result['other_method']:>12,} left out by method"
    yield f"{result['other_status']:>12,} left out by status"
    yield f"{result['malformed']:>12,} malformed"
    for malformed in result["first_malformed"]:
        yield f"{'':>12} {malformed['file']}, line {malformed['line']:,}: {malformed['reason']}"
    if result["events"] is None:
        yield "Nothing was imported (--dry-run)"
        return
    yield from processed_lines(result["events"])
