"""Run an access log of the user's own through the chain and say what was counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from flask import Flask

from stats_pipeline.cli.output import Output
from stats_pipeline.contrib.access_log.importing import EVENT_TYPE, LogImport
from stats_pipeline.contrib.access_log.selection import Selection
from stats_pipeline.demo.example import Example
from stats_pipeline.demo.measured import count_stored
from stats_pipeline.demo.numbers import NotExact
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.text import one_line

SHOWN_PATHS = 10


def run_log(app: Flask, output: Output, file: Path) -> Example:
    """Import and aggregate a log, say what was counted, and return what to ask for.

    Raises:
        NotExact: the statistics are not what the stored events say.
        UnreadableFile: it is not an access log.
        StoreError: its events could not be stored.
    """
    pipeline: Pipeline = app.extensions["stats_pipeline"]
    with app.app_context():
        log = LogImport(Selection())
        with output.progress("Importing") as progress:
            log.run([str(file)], progress)
        with output.progress("Aggregating") as progress:
            pipeline.update(["access-log-agg"], progress=progress)
        answer = pipeline.query("access-log-terms")
    stored, robots = count_stored(pipeline, EVENT_TYPE)
    _say(log, stored, robots, answer)
    if answer["value"] != stored - robots:
        raise NotExact(
            f"NOT EXACT: of {stored:,} stored clicks {robots:,} are of robots, which leaves "
            f"{stored - robots:,}"
        )
    favourite = {"path": answer["buckets"][0]["key"]} if answer["buckets"] else {}
    return Example(
        request={"stat": "access-log-histogram", "params": {"interval": "month", **favourite}},
        chart={"query": "access-log-histogram"},
    )


def _say(log: LogImport, stored: int, robots: int, answer: dict[str, Any]) -> None:
    counts, dead = log.counts, log.processed["dead"]
    lines = {
        "lines": counts.lines,
        "- malformed: in neither common nor combined format": counts.malformed,
        "- impossible, as a time in the future": dead,
        "- repeat clicks: same visitor, same path, 10 s": counts.accepted - dead - stored,
        "- robots: their agent is on the COUNTER list": robots,
        "= counted": int(answer["value"]),
    }
    click.echo("\nWhat was counted, and why it is fewer than the lines of the log:\n")
    for label, value in lines.items():
        click.echo(f"  {label:52}{value:>11,}")
    for malformed in counts.first_malformed:
        click.echo(f"  line {malformed.line:,} is malformed: {one_line(malformed.reason)}")
    click.echo("\nThe most wanted paths:\n" if answer["buckets"] else "")
    for bucket in answer["buckets"][:SHOWN_PATHS]:
        click.echo(f"  {one_line(bucket['key'])[:52]:52}{int(bucket['value']):>11,}")
