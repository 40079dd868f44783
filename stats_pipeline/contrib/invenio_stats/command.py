"""`stats migrate invenio-stats`: turn a configuration of invenio-stats into ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stats_pipeline.cli import Output, stats_command
from stats_pipeline.contrib.invenio_stats.checking import problems_of
from stats_pipeline.contrib.invenio_stats.findings import Note
from stats_pipeline.contrib.invenio_stats.reading import read_configuration
from stats_pipeline.contrib.invenio_stats.translation import Translation, translate
from stats_pipeline.errors import ConfigurationError

EPILOG = """\b
Examples:
  stats migrate invenio-stats invenio.cfg
  stats migrate invenio-stats invenio.cfg --output stats.cfg --templates stats_templates
Then bring the events over:
  stats migrate invenio-events file-download events.ndjson.gz
"""


@click.command("invenio-stats", epilog=EPILOG)
@click.argument(
    "configuration",
    metavar="CONFIG.py",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--output",
    "output_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the configuration into this new file; else to standard output.",
)
@click.option(
    "--templates",
    "templates_folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write the index templates of event types, converted, into this folder.",
)
@stats_command
def migrate_configuration(
    output: Output,
    configuration: Path,
    output_file: Path | None,
    templates_folder: Path | None,
) -> None:
    """Translate the configuration of invenio-stats (1 to 7).

    CONFIG.py sets STATS_EVENTS, STATS_AGGREGATIONS and STATS_QUERIES. It is run, as any Python
    program; what it imports need not be installed. What could not be translated is a comment at its
    place, and is listed on standard error with what to do. Nothing is left out without a word.
    Ends with exit code 1 where an application does not start with the result, or the doctor finds
    something wrong with it.
    """
    folder = None if templates_folder is None else templates_folder.resolve()
    translation = translate(read_configuration(configuration), templates_folder=folder)
    text = translation.text()
    _check_new(output_file, folder, translation)
    if folder is not None:
        _write_templates(folder, translation)
    if output_file is not None:
        _write(output_file, text)
    summary = _summary(translation, problems_of(text))
    if not output.as_json:
        click.echo("\n".join(_lines(summary)), err=True)
    shown = None if output_file else text
    lines = [] if shown is None else shown.rstrip().split("\n")
    output.result({**summary, "configuration": shown}, lines)
    if summary["problems"]:
        click.get_current_context().exit(1)


def _check_new(output_file: Path | None, folder: Path | None, translation: Translation) -> None:
    """Refuse to write over anything, before anything is written."""
    files = [] if output_file is None else [output_file]
    if folder is not None:
        files += [_template_file(folder, name) for name in translation.templates]
    for file in files:
        if file.exists():
            raise ConfigurationError(
                f"{file} is there already; move it away or choose another name"
            )


def _write_templates(folder: Path, translation: Translation) -> None:
    for event_type, body in translation.templates.items():
        _write(_template_file(folder, event_type), json.dumps(body, indent=2) + "\n")


def _template_file(folder: Path, event_type: str) -> Path:
    return folder / f"{event_type}.json"


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file} can't be written: {error.strerror}") from error


def _summary(translation: Translation, problems: list[str]) -> dict[str, Any]:
    return {
        "translated": translation.translated(),
        "not_translated": [asdict(note) for note in translation.findings.not_translated],
        "to_check": [asdict(note) for note in translation.findings.to_check],
        "templates": sorted(translation.templates),
        "problems": problems,
    }


def _lines(summary: dict[str, Any]) -> Iterator[str]:
    counts = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in summary["translated"].items())
    yield f"Translated: {counts}"
    for title, key in (("Not translated", "not_translated"), ("To check", "to_check")):
        yield f"{title}: {len(summary[key])}"
        for found in summary[key]:
            note = Note(**found)
            yield f"  {note.where}: {note.why}. {note.what_to_do}."
    yield from (f"Problem: {problem}" for problem in summary["problems"])
    if not summary["problems"]:
        yield "An application starts with it, and its doctor finds nothing wrong"
